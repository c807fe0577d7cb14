// Answers with what an exec printed: at once, or as it is printed.
//
// The body is raw bytes. What there is goes out with its length, and Range
// works on it; what is followed goes out in chunks until the exec has ended.
// A body that ends early, as where the server stops, has no end: no last chunk,
// or less than its length.
#pragma once

#include "http/edge/exchange.hpp"
#include "http/streams/output_reader.hpp"
#include "http/streams/output_tail.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>

namespace greenroom::http {

/// What of an exec's output a client asks for.
struct output_request {
  output_choice stream = output_choice::both;
  std::uint64_t from = 0; // the first byte
  bool follow = false;
  bool printed = true; // false: there has never been any
};

/// Reads `from`; nullopt: it is not there. Throws refused bad_request.
std::optional<std::uint64_t> read_first_byte(const exchange& ex);

/// Reads `stream`, `from` and `follow`. Throws refused bad_request.
output_request read_output_request(const exchange& ex);

/// Sends what the log in `dir` has now.
void send_output(const exchange_ptr& ex, std::filesystem::path dir,
                 const output_request& what);

/// Sends what the log in `dir` has and will have, until there is the exec's
/// exit record, or the answer to `ask` is that the exec is over.
void follow_output(const exchange_ptr& ex, std::filesystem::path dir,
                   const output_request& what, output_tail::question ask);

} // namespace greenroom::http
