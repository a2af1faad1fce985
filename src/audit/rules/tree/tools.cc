// Programs that a jail seldom needs: each helps who got in. Told of once for each kind, as advice.
#include "audit/rules/tree/rules.h"
#include "base/text.h"

namespace immure::audit {
namespace {

constexpr size_t kNamed = 8;

void tell(const Facts& facts, Answers& answers, Tool tool) {
  const Tree& tree = begin(facts, answers, kTool);
  std::string names;
  const Note* first = nullptr;
  size_t count = 0;
  for (const Note& note : tree.notes) {
    if ((note.marks & kTool) == 0 || note.tool != tool) continue;
    if (first == nullptr) first = &note;
    if (++count <= kNamed) names += (names.empty() ? "" : ", ") + note.path;
  }
  if (first == nullptr) return;
  if (count > kNamed) names += " and " + num(count - kNamed) + " more";
  found(answers, tree, *first, std::move(names));
}

void packages(const Facts& facts, Answers& answers) { tell(facts, answers, Tool::Packages); }
void compiler(const Facts& facts, Answers& answers) { tell(facts, answers, Tool::Compiler); }
void network(const Facts& facts, Answers& answers) { tell(facts, answers, Tool::Network); }
void debugger(const Facts& facts, Answers& answers) { tell(facts, answers, Tool::Debugger); }
void mounting(const Facts& facts, Answers& answers) { tell(facts, answers, Tool::Mounting); }
void modules(const Facts& facts, Answers& answers) { tell(facts, answers, Tool::Modules); }
void containers(const Facts& facts, Answers& answers) { tell(facts, answers, Tool::Containers); }
void identity(const Facts& facts, Answers& answers) { tell(facts, answers, Tool::Identity); }
void remote(const Facts& facts, Answers& answers) { tell(facts, answers, Tool::Remote); }

constexpr const char* kLeave = "leave it out: immure build takes only what the programs need";

}  // namespace

const Rule kTreePackageManager = {
    .id = "tree-package-manager",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Isolation,
    .point = Point::Minimality,
    .title = "package managers",
    .why =
        "They fetch and install whatever else is wanted, with scripts that run as root. What is "
        "in a jail should be changed from outside.",
    .fix = "",
    .advice = kLeave,
    .reference = "immure-build(1)",
    .check = packages,
    .predicts = ""};

const Rule kTreeCompiler = {
    .id = "tree-compiler",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Isolation,
    .point = Point::Minimality,
    .title = "compilers and build tools",
    .why =
        "An exploit for just this kernel is built where it is needed. Without them it has to be "
        "brought ready made.",
    .fix = "",
    .advice = kLeave,
    .reference = "immure-build(1)",
    .check = compiler,
    .predicts = ""};

const Rule kTreeNetworkTool = {
    .id = "tree-network-tool",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Isolation,
    .point = Point::Minimality,
    .title = "network tools",
    .why =
        "They bring in what is missing and carry out what was found, and look around in the "
        "network. A service speaks its own protocol without them.",
    .fix = "",
    .advice = kLeave,
    .reference = "immure-build(1)",
    .check = network,
    .predicts = ""};

const Rule kTreeDebugger = {
    .id = "tree-debugger",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Isolation,
    .point = Point::Minimality,
    .title = "debuggers and tracers",
    .why =
        "They read and change other processes of the same user without a line of code being "
        "written. Keys are in such memory.",
    .fix = "",
    .advice = kLeave,
    .reference = "ptrace(2); immure-build(1)",
    .check = debugger,
    .predicts = ""};

const Rule kTreeMountTool = {
    .id = "tree-mount-tool",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Isolation,
    .point = Point::Minimality,
    .title = "tools that mount, enter and change roots",
    .why =
        "mount, nsenter, chroot and their like are the steps of most ways out, ready to be typed."
        " They give no right that is not there, but no program of a service needs them.",
    .fix = "",
    .advice = kLeave,
    .reference = "mount(8); nsenter(1); chroot(8)",
    .check = mounting,
    .predicts = ""};

const Rule kTreeModuleTool = {
    .id = "tree-module-tool",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Isolation,
    .point = Point::Minimality,
    .title = "tools that load modules or kernels",
    .why =
        "A jail never loads code into the kernel, and whoever can has no jail. The capability is "
        "what must be missing; the tool is only a hint that somebody thought otherwise.",
    .fix = "",
    .advice = kLeave,
    .reference = "kmod(8); kexec(8); capabilities(7), CAP_SYS_MODULE",
    .check = modules,
    .predicts = ""};

const Rule kTreeContainerTool = {
    .id = "tree-container-tool",
    .look = Look::Tree,
    .severity = Severity::Low,
    .concern = Concern::Isolation,
    .point = Point::Minimality,
    .title = "clients of container managers",
    .why =
        "They are there to speak to a socket or a server that starts containers, and who may do "
        "that is root on some host. Look for the socket and the credentials, too.",
    .fix = "",
    .advice = kLeave,
    .reference = "https://docs.docker.com/engine/security/",
    .check = containers,
    .predicts = "planted-docker-socket"};

const Rule kTreeIdentityTool = {
    .id = "tree-identity-tool",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Privilege,
    .point = Point::Minimality,
    .title = "sudo, doas, pkexec",
    .why =
        "They are large programs with a set-id bit that read files of users. Each of the three "
        "has given root to everybody by a mistake.",
    .fix = "",
    .advice = kLeave,
    .reference = "CVE-2021-3156; CVE-2021-4034; sudo(8)",
    .check = identity,
    .predicts = "set-uid-program"};

const Rule kTreeRemoteServer = {
    .id = "tree-remote-server",
    .look = Look::Tree,
    .severity = Severity::Advice,
    .concern = Concern::Isolation,
    .point = Point::Minimality,
    .title = "servers for logging in",
    .why = "A second way into the jail, past what watches the first. A jail is entered from the host.",
    .fix = "",
    .advice = "use immure exec, or leave it where the jail is for that server",
    .reference = "sshd(8); immure-exec(1)",
    .check = remote,
    .predicts = ""};

}  // namespace immure::audit
