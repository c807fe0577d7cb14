// How busy this machine is.
#pragma once

namespace greenroom {

/// Of the last minute: the mean number of threads that ran or wanted to, for
/// each processor; 1: all processors were busy. As getloadavg(3) has it.
double processor_load() noexcept;

} // namespace greenroom
