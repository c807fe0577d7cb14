// Strict reading of JSON objects that another program wrote: a field of the
// wrong type or out of range is an error that names it, never a conversion.
//
// Everything here throws bad_field; callers at the seam turn it into a value.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace greenroom::runner {

struct bad_field : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Parses text that has to be one JSON object.
nlohmann::json parse_object(std::string_view text);

/// One line of JSON. Bytes that are no UTF-8 become replacement characters.
std::string to_text(const nlohmann::json& object);

/// The field `name`, which has to be there.
const nlohmann::json& field(const nlohmann::json& object, const char* name);

const std::string& string_field(const nlohmann::json& object, const char* name);

bool bool_field(const nlohmann::json& object, const char* name);

std::int64_t integer_field(const nlohmann::json& object, const char* name,
                           std::int64_t least, std::int64_t most);

/// A number of bytes, records or milliseconds: 0 to 2^63-1.
std::uint64_t count_field(const nlohmann::json& object, const char* name);

} // namespace greenroom::runner
