#include "http/base/json_body.hpp"

#include "messages/errors.hpp"

#include <algorithm>

namespace greenroom::http {

namespace {

using json = nlohmann::json;

// Values in a body. Each costs more memory than its text has bytes.
constexpr std::size_t max_json_parts = 200'000;

/// Builds the value while it checks what nlohmann's own builder lets pass:
/// depth and names that come twice.
class strict_builder : public json::json_sax_t {
public:
  explicit strict_builder(json& root) : root_(root) {}

  const std::string& complaint() const noexcept {
    return complaint_;
  }

  /// How many bytes had been read when it was found to be no JSON.
  std::optional<std::size_t> fault() const noexcept {
    return fault_;
  }

  bool null() override {
    return put(nullptr);
  }
  bool boolean(bool value) override {
    return put(value);
  }
  bool number_integer(number_integer_t value) override {
    return put(value);
  }
  bool number_unsigned(number_unsigned_t value) override {
    return put(value);
  }
  bool number_float(number_float_t value, const string_t&) override {
    return put(value);
  }
  bool string(string_t& value) override {
    return put(std::move(value));
  }
  bool binary(binary_t&) override {
    return false;
  }
  bool start_object(std::size_t) override {
    return open(json::object());
  }
  bool start_array(std::size_t) override {
    return open(json::array());
  }
  bool end_object() override {
    open_.pop_back();
    return true;
  }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool key(string_t& name) override {
    if (open_.back()->contains(name)) {
      complaint_ = "field \"" + name + "\" comes twice";
      return false;
    }
    name_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t read, const std::string&,
                   const nlohmann::detail::exception&) override {
    fault_ = read;
    return false;
  }

private:
  bool has_room() {
    if (++parts_ <= max_json_parts)
      return true;
    complaint_ = "the request body has more than "
                 + std::to_string(max_json_parts) + " values";
    return false;
  }

  json* add(json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    auto& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[name_] = std::move(value));
  }

  bool put(json value) {
    if (!has_room())
      return false;
    add(std::move(value));
    return true;
  }

  bool open(json value) {
    if (!has_room())
      return false;
    if (open_.size() == max_json_depth) {
      complaint_ = "invalid request body";
      return false;
    }
    open_.push_back(add(std::move(value)));
    return true;
  }

  json& root_;
  std::vector<json*> open_;
  std::size_t parts_ = 0;
  std::string name_;
  std::string complaint_;
  std::optional<std::size_t> fault_;
};

bool has_nul(const std::string& text) noexcept {
  return text.find('\0') != std::string::npos;
}

/// Where a byte is, as editors count.
std::string position_json(std::string_view body, std::size_t offset) {
  auto before = body.substr(0, offset == 0 ? 0 : offset - 1);
  auto line_begin = before.rfind('\n') + 1; // 0 where there is none
  return json{{"line", 1 + std::ranges::count(before, '\n')},
              {"column", 1 + before.size() - line_begin}}
    .dump();
}

} // namespace

malformed_body::malformed_body(std::string_view body, std::size_t offset)
  : refused(errc::bad_request, "invalid request body"),
    details_(R"({"position":)" + position_json(body, offset) + '}') {}

nlohmann::json parse_object(std::string_view body) {
  json result;
  strict_builder builder{result};
  if (!json::sax_parse(body.begin(), body.end(), &builder)) {
    if (builder.fault())
      throw malformed_body(body, *builder.fault());
    refuse(builder.complaint());
  }
  if (!result.is_object())
    refuse("invalid request body");
  return result;
}

object_reader::object_reader(const nlohmann::json& object, std::string where)
  : object_(object), where_(std::move(where)) {}

const json* object_reader::find(std::string_view name) {
  known_.emplace_back(name);
  auto found = object_.find(known_.back());
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

void object_reader::wrong_type(std::string_view name,
                               std::string_view expected) const {
  refuse(where_ + std::string{name} + " must be " + std::string{expected});
}

std::string object_reader::checked(std::string_view name, const json& value,
                                   std::string_view expected) const {
  if (!value.is_string())
    wrong_type(name, expected);
  auto& text = value.get_ref<const std::string&>();
  if (has_nul(text))
    refuse(where_ + std::string{name} + " must not contain NUL");
  return text;
}

std::optional<std::string> object_reader::text(std::string_view name) {
  auto value = find(name);
  if (value == nullptr)
    return std::nullopt;
  return checked(name, *value, "a string");
}

std::optional<bool> object_reader::boolean(std::string_view name) {
  auto value = find(name);
  if (value == nullptr)
    return std::nullopt;
  if (!value->is_boolean())
    wrong_type(name, "true or false");
  return value->get<bool>();
}

std::optional<std::int64_t> object_reader::whole_number(std::string_view name,
                                                        std::int64_t min,
                                                        std::int64_t max) {
  auto value = find(name);
  if (value == nullptr)
    return std::nullopt;
  auto in_range =
    value->is_number_unsigned()
      ? value->get<std::uint64_t>() <= static_cast<std::uint64_t>(max)
          && value->get<std::int64_t>() >= min
      : value->is_number_integer() && value->get<std::int64_t>() >= min
          && value->get<std::int64_t>() <= max;
  if (!in_range)
    wrong_type(name, "a whole number from " + std::to_string(min) + " to "
                       + std::to_string(max));
  return value->get<std::int64_t>();
}

std::optional<std::vector<std::string>>
object_reader::text_list(std::string_view name) {
  auto value = find(name);
  if (value == nullptr)
    return std::nullopt;
  constexpr std::string_view expected = "a list of strings";
  if (!value->is_array())
    wrong_type(name, expected);
  std::vector<std::string> result;
  result.reserve(value->size());
  for (auto& item : *value)
    result.push_back(checked(name, item, expected));
  return result;
}

std::optional<string_map> object_reader::text_map(std::string_view name) {
  auto value = find(name);
  if (value == nullptr)
    return std::nullopt;
  constexpr std::string_view expected = "an object with string values";
  if (!value->is_object())
    wrong_type(name, expected);
  string_map result;
  for (auto& [key, item] : value->items()) {
    if (has_nul(key))
      refuse(where_ + std::string{name} + " must not contain NUL");
    result.emplace(key, checked(name, item, expected));
  }
  return result;
}

const json* object_reader::value(std::string_view name) {
  return find(name);
}

const json* object_reader::object(std::string_view name) {
  auto value = find(name);
  if (value != nullptr && !value->is_object())
    wrong_type(name, "an object");
  return value;
}

void object_reader::done() const {
  for (auto& [name, value] : object_.items())
    if (std::ranges::find(known_, name) == known_.end())
      refuse("unknown field \"" + where_ + name + "\"");
}

} // namespace greenroom::http
