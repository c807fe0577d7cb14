// How much a program does, as long as it runs.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace greenroom {

/// What a process and all that it has begun have taken of processors so far, in
/// ticks of the kernel's (10 ms): those that run, and those that somebody among
/// them has waited for. It may be less than before where one ends that nobody
/// waits for. 0 where nothing can be seen of them. Looks at no more than a few
/// thousand processes.
std::uint64_t processor_time(pid_t root);

} // namespace greenroom
