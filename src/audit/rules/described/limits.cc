#include "audit/rules/described/rules.h"

namespace immure::audit {
namespace {

void check_memory(const Facts& facts, Answers& answers) {
  check_value(facts.described->memory_limit, false, "memory", "no limit", answers);
}
void check_tasks(const Facts& facts, Answers& answers) {
  check_value(facts.described->process_limit, false, "processes", "no limit", answers);
}
void check_processor(const Facts& facts, Answers& answers) {
  check_value(facts.described->processor_limit, false, "processor", "no limit", answers);
}

}  // namespace

const Rule kDescribedMemory = {
    "described-memory",
    Look::Described,
    Severity::Low,
    Concern::Monitoring,
    Point::Limits,
    "memory has no limit",
    "One program takes all memory of the host, and the kernel then ends whatever it likes outside. A limit for the group "
    "ends the jail instead.",
    "",
    "unit: MemoryMax=; OCI: linux.resources.memory.limit; bwrap: a scope, systemd-run --scope -p "
    "MemoryMax=1G bwrap …; profile: memory in [limits]",
    "cgroups(7)",
    check_memory,
    Mend::None,
    "memory-one memory-eight memory-shared"};
const Rule kDescribedTasks = {
    "described-processes",
    Look::Described,
    Severity::Low,
    Concern::Monitoring,
    Point::Limits,
    "the number of processes has no limit",
    "A fork bomb takes all process ids, and nobody can log in to end it. A limit for the group stops it at once.",
    "",
    "unit: TasksMax=; OCI: linux.resources.pids.limit; bwrap: a scope, systemd-run --scope -p "
    "TasksMax=256 bwrap …; profile: pids in [limits]",
    "cgroups(7)",
    check_tasks,
    Mend::None,
    "fork-bomb thread-bomb"};
const Rule kDescribedProcessor = {
    "described-processor",
    Look::Described,
    Severity::Advice,
    Concern::Monitoring,
    Point::Limits,
    "processor time has no limit",
    "A busy loop in every processor slows the whole host down. A quota or a weight keeps the rest of it answering.",
    "",
    "unit: CPUQuota=; OCI: linux.resources.cpu.quota; bwrap: a scope, systemd-run --scope -p CPUQuota=100% bwrap …",
    "cgroups(7)",
    check_processor,
    Mend::None,
    "processor-one processor-four"};

}  // namespace immure::audit
