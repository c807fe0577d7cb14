#include "runtime/runner/protocol/json_fields.hpp"

#include <limits>

namespace greenroom::runner {

using nlohmann::json;

json parse_object(std::string_view text) {
  auto result = json::parse(text, nullptr, false);
  if (!result.is_object())
    throw bad_field{"not a JSON object"};
  return result;
}

std::string to_text(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

const json& field(const json& object, const char* name) {
  auto i = object.find(name);
  if (i == object.end())
    throw bad_field{std::string{name} + " is missing"};
  return *i;
}

const std::string& string_field(const json& object, const char* name) {
  const auto& value = field(object, name);
  if (!value.is_string())
    throw bad_field{std::string{name} + " is no string"};
  return value.get_ref<const std::string&>();
}

bool bool_field(const json& object, const char* name) {
  const auto& value = field(object, name);
  if (!value.is_boolean())
    throw bad_field{std::string{name} + " is no boolean"};
  return value.get<bool>();
}

std::int64_t integer_field(const json& object, const char* name,
                           std::int64_t least, std::int64_t most) {
  const auto& value = field(object, name);
  constexpr std::uint64_t limit = std::numeric_limits<std::int64_t>::max();
  if (!value.is_number_integer()
      || (value.is_number_unsigned() && value.get<std::uint64_t>() > limit))
    throw bad_field{std::string{name} + " is no integer"};
  auto result = value.get<std::int64_t>();
  if (result < least || result > most)
    throw bad_field{std::string{name} + " is out of range"};
  return result;
}

std::uint64_t count_field(const json& object, const char* name) {
  return static_cast<std::uint64_t>(
    integer_field(object, name, 0, std::numeric_limits<std::int64_t>::max()));
}

} // namespace greenroom::runner
