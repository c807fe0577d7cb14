// Reads one answer of any length to its end and counts its body.
//
// Blocking, over a connection of its own. Throws std::runtime_error where the
// status is not 200 or the answer ends too early, std::system_error.
#pragma once

#include <cstdint>
#include <string>

namespace greenroom::bench {

/// Bytes of the body, of which the length is told or which comes in chunks.
std::uint64_t download(std::uint16_t port, const std::string& request);

} // namespace greenroom::bench
