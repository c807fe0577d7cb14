// What the kernel has done to a session that ran out of memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace greenroom::runner {

/// How many processes of these control groups the kernel has killed so far for
/// want of memory, as far as it tells; 0 where it does not.
std::uint64_t out_of_memory_kills(const std::vector<std::string>& groups);

/// The sentence for the user whose command ended by that.
std::string why_out_of_memory(const std::vector<std::string>& groups);

} // namespace greenroom::runner
