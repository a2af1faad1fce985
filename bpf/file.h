// The real path of an open file, and the other end of a socket: what the kernel itself holds, which no
// process can have changed meanwhile.
#pragma once

static __always_inline struct file* file_of(struct task_struct* task, __u32 descriptor) {
  struct fdtable* table = BPF_CORE_READ(task, files, fdt);
  if (!table || descriptor >= BPF_CORE_READ(table, max_fds)) return 0;
  struct file *file = 0, **slot = BPF_CORE_READ(table, fd) + descriptor;
  bpf_probe_read_kernel(&file, sizeof file, slot);
  return file;
}

enum { kMostSteps = 96, kAllNames = kMostItemBytes };

struct climb {
  struct scratch* to;
  struct dentry* dentry;
  struct vfsmount* mount;
  __u32 from;  // where the names begin that there are so far
  __u32 state;
};

// A step up: to the folder, or from the root of a mount to where it stands. 1: it is over.
static long climb_on(__u32 step, struct climb* at) {
  struct dentry* dentry = at->dentry;
  struct vfsmount* mount = at->mount;
  if (dentry == BPF_CORE_READ(mount, mnt_root)) {
    struct mount* holder = (void*)mount - bpf_core_field_offset(struct mount, mnt);
    struct mount* parent = BPF_CORE_READ(holder, mnt_parent);
    if (!parent || parent == holder) {
      at->state = kItemWhole;
      return 1;
    }
    at->dentry = BPF_CORE_READ(holder, mnt_mountpoint);
    at->mount = (void*)parent + bpf_core_field_offset(struct mount, mnt);
    return 0;
  }
  struct dentry* parent = BPF_CORE_READ(dentry, d_parent);
  __u32 length = BPF_CORE_READ(dentry, d_name.len), from = at->from;
  if (length > 255 || from > kAllNames || from < length + 1) return 1;
  from -= length + 1;
  if (from > kAllNames) return 1;
  at->to->names[from] = '/';
  bpf_probe_read_kernel(at->to->names + from + 1, at_most(255, length), BPF_CORE_READ(dentry, d_name.name));
  at->from = from;
  at->dentry = parent;
  if (parent && parent != dentry) return 0;
  at->state = kItemWhole;  // of a file system that is mounted nowhere
  return 1;
}

// Up from the file to the root of its namespace, through the mounts; the names are written from the end.
// `address`: of the struct file.
__noinline int put_path(struct scratch* to, __u32 kind, __u64 address) {
  struct file* file = (void*)address;
  struct path path;
  if (!to) return 0;
  if (bpf_core_read(&path, sizeof path, &file->f_path)) return 0;
  struct climb at = {
      .to = to, .dentry = path.dentry, .mount = path.mnt, .from = kAllNames, .state = kItemCut};
  bpf_loop(kMostSteps, climb_on, &at, 0);
  __u32 room, length, from = at.from;
  if (from > kAllNames) return 0;
  if (from == kAllNames) to->names[--from] = '/';
  unsigned char* bytes = item_bytes(to, &room);
  if (!bytes) return 0;
  length = kAllNames - from;
  __u8 state = at.state;
  if (length > room) {
    length = room;
    state = kItemCut;
  }
  length = at_most(kMostItemBytes, length);
  bpf_probe_read_kernel(bytes, length, to->names + at_most(kAllNames, from));
  end_item(to, kind, 255, state, length);
  return 0;
}

enum { kTypeMask = 0170000, kTypeSocket = 0140000, kInet = 2, kInet6 = 10, kUnix = 1 };

// 0: it is no socket, or nobody is there.
__noinline int put_peer(struct scratch* to, __u64 address_of_file) {
  struct file* file = (void*)address_of_file;
  __u32 room;
  if (!to) return 0;
  unsigned char* bytes = item_bytes(to, &room);
  if (!bytes || !file || (BPF_CORE_READ(file, f_inode, i_mode) & kTypeMask) != kTypeSocket) return 0;
  struct socket* socket = BPF_CORE_READ(file, private_data);
  struct sock* sock = BPF_CORE_READ(socket, sk);
  if (!sock) return 0;
  __u16 family = BPF_CORE_READ(sock, __sk_common.skc_family);
  __u32 length = 0;
  if (family == kInet) {
    length = 16;
    __builtin_memset(bytes, 0, 16);
    bpf_core_read(bytes + 2, 2, &sock->__sk_common.skc_dport);
    bpf_core_read(bytes + 4, 4, &sock->__sk_common.skc_daddr);
  } else if (family == kInet6) {
    length = 28;
    __builtin_memset(bytes, 0, 28);
    bpf_core_read(bytes + 2, 2, &sock->__sk_common.skc_dport);
    bpf_probe_read_kernel(bytes + 8, 16, &sock->__sk_common.skc_v6_daddr);
  } else if (family == kUnix) {
    struct sock* peer = BPF_CORE_READ((struct unix_sock*)sock, peer);
    struct unix_address* address = peer ? BPF_CORE_READ((struct unix_sock*)peer, addr) : 0;
    if (!address) return 0;
    length = BPF_CORE_READ(address, len);
    if (length < 2 || length > 110) return 0;
    bpf_probe_read_kernel(bytes, at_most(110, length), &address->name);
  } else {
    return 0;
  }
  *(__u16*)bytes = family;
  end_item(to, kItemAddress, 1, kItemWhole, length);
  return 1;
}
