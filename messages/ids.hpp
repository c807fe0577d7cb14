// Identifiers that Greenroom makes: session, review and exec ids.
//
// An id is 20 characters of [a-z0-9] from the kernel's random source, about
// 103 bits: nobody can guess another's, and two nodes never make the same.
// Clients may name their own execs; those names have a wider alphabet.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace greenroom {

inline constexpr std::size_t id_length = 20;

/// Makes a fresh id. Throws std::system_error when the kernel gives no random
/// bytes, which on Linux means that nothing else will work either.
std::string make_id();

/// True for what make_id can return.
bool is_id(std::string_view text) noexcept;

/// True for a name that a client may give to an exec: ^[A-Za-z0-9_-]{1,64}$.
bool is_exec_id(std::string_view text) noexcept;

/// True for a project id: ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$.
bool is_project_id(std::string_view text) noexcept;

/// The id under which API clients know a session's checkout.
std::string checkout_id(std::string_view session_id);

/// Lower-case hex of `size` random bytes from the kernel.
std::string random_hex(std::size_t size);

} // namespace greenroom
