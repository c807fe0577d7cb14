// What to answer when a system call fails for want of something: descriptors,
// memory, room on the disk. The machine may have it again in a moment, so the
// client is told to try again (503), not that the server is broken (500).
#pragma once

#include "messages/errors.hpp"

#include <exception>
#include <optional>
#include <system_error>

namespace greenroom {

/// overloaded where descriptors, memory or kernel objects are lacking,
/// unavailable where the disk takes nothing; nullopt for all other errors.
std::optional<refusal> refusal_of_shortage(const std::error_code& error);

/// What a client is told of an exception: a refusal as it is, a shortage as
/// above, anything else as `internal`, without its text.
refusal refusal_of(const std::exception_ptr& what) noexcept;

} // namespace greenroom
