// JSON bodies, read strictly.
//
// Strict means: UTF-8, nested at most 64 deep, no name twice in one object. All
// that is wrong is thrown as refused bad_request with one sentence that names
// the field.
#pragma once

#include "messages/errors.hpp"
#include "messages/records.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::http {

inline constexpr std::size_t max_json_depth = 64;

/// A body that is no JSON. The sentence is the API's; where the fault is stands
/// in the details, a JSON object.
class malformed_body : public refused {
public:
  /// `offset`: how many bytes of `body` were read.
  malformed_body(std::string_view body, std::size_t offset);

  const std::string& details() const noexcept {
    return details_;
  }

private:
  std::string details_;
};

/// Parses a body; what is no JSON object is refused as `invalid request body`.
nlohmann::json parse_object(std::string_view body);

/// The typed fields of an object, each asked for by name. A field that is not
/// there, or null, is nullopt; one of another type is refused. `done` refuses
/// what nobody asked for, so it comes after the last field.
class object_reader {
public:
  /// Keeps a reference: `object` must outlive the reader. `where` is put before
  /// names in messages, for objects inside others: `tty.`.
  explicit object_reader(const nlohmann::json& object, std::string where = {});

  std::optional<std::string> text(std::string_view name);
  std::optional<bool> boolean(std::string_view name);
  std::optional<std::int64_t> whole_number(std::string_view name,
                                           std::int64_t min, std::int64_t max);
  std::optional<std::vector<std::string>> text_list(std::string_view name);
  std::optional<string_map> text_map(std::string_view name);

  /// An object, for a reader of its own; null: not there.
  const nlohmann::json* object(std::string_view name);

  /// A field of any type; null: not there.
  const nlohmann::json* value(std::string_view name);

  void done() const;

private:
  const nlohmann::json* find(std::string_view name);
  [[noreturn]] void wrong_type(std::string_view name,
                               std::string_view expected) const;
  std::string checked(std::string_view name, const nlohmann::json& value,
                      std::string_view expected) const;

  const nlohmann::json& object_;
  std::string where_;
  std::vector<std::string> known_;
};

} // namespace greenroom::http
