// What is read of the kernel's structs: only the fields that are used, found by name in the running kernel's
// own description (BTF) when the program is loaded, wherever they are there.
#pragma once

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
  unsigned long bp, bx, r10, r9, r8, ax, cx, dx, si, di, orig_ax;
};
struct thread_info {
  unsigned int status;
};
typedef struct {
  int counter;
} atomic_t;

struct qstr {
  unsigned int len;
  const unsigned char* name;
};
struct inode {
  unsigned short i_mode;
};
struct dentry {
  struct dentry* d_parent;
  struct qstr d_name;
};
struct vfsmount {
  struct dentry* mnt_root;
};
struct mount {
  struct mount* mnt_parent;
  struct dentry* mnt_mountpoint;
  struct vfsmount mnt;
};
struct path {
  struct vfsmount* mnt;
  struct dentry* dentry;
};
struct file {
  struct path f_path;
  struct inode* f_inode;
  void* private_data;
};
struct fdtable {
  unsigned int max_fds;
  struct file** fd;
};
struct files_struct {
  struct fdtable* fdt;
};

struct mm_struct {
  atomic_t mm_users;
  unsigned long arg_start, arg_end;
  struct file* exe_file;
};
struct signal_struct {
  atomic_t live;
  int group_exit_code;
  unsigned int flags;
};
struct ns_common {
  unsigned int inum;
};
struct pid_namespace {
  struct ns_common ns;
};
struct upid {
  int nr;
  struct pid_namespace* ns;
};
struct pid {
  unsigned int level;
  struct upid numbers[0];
};
struct nsproxy {
  void *uts_ns, *ipc_ns, *mnt_ns, *pid_ns_for_children, *net_ns, *cgroup_ns;
};
struct cred {
  void* user_ns;
};
struct seccomp {
  int mode;
};
struct task_struct {
  struct thread_info thread_info;
  int pid, tgid;
  int exit_code;
  unsigned int flags;
  struct mm_struct* mm;
  struct files_struct* files;
  void* fs;
  struct signal_struct* signal;
  struct task_struct* group_leader;
  struct pid* thread_pid;
  struct nsproxy* nsproxy;
  const struct cred* cred;
  struct seccomp seccomp;
};
struct linux_binprm {
  struct file* file;
  const char* filename;
};
struct kernel_siginfo {
  int si_code;
};

struct in6_addr {
  int unused;  // read whole: what is in it has had other names
};
struct sockaddr_un {
  unsigned short sun_family;
};
struct sock_common {
  unsigned int skc_daddr;
  unsigned short skc_dport;
  unsigned short skc_family;
  struct in6_addr skc_v6_daddr;
};
struct sock {
  struct sock_common __sk_common;
};
struct socket {
  struct sock* sk;
};
struct unix_address {
  int len;
  struct sockaddr_un name[0];
};
struct unix_sock {
  struct unix_address* addr;
  struct sock* peer;
};

#pragma clang attribute pop
