// The part of JSON Schema 2020-12 that our OpenAPI document uses, for tests
// that hold answers against it.
//
// Known: $ref within the document, allOf, oneOf with or without an OpenAPI
// discriminator, anyOf, const, enum, type, properties, required,
// additionalProperties, items, minItems, maxItems, minLength, maxLength,
// minimum, maximum, pattern. `format` is a note. Any other keyword throws, so
// that nothing is taken for checked that is not.
//
// Stricter than JSON Schema in one point: where a schema names properties and
// is silent on additionalProperties, a property that no part of it names is a
// mismatch. A document that leaves a field out does not tell the truth.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace greenroom::test {

struct schema_mismatch {
  std::string pointer; // into the value, as RFC 6901; "" is all of it
  std::string reason;
};

class json_schema {
public:
  /// Looks references up in `document`, which must outlive this.
  explicit json_schema(const nlohmann::json& document) : document_(document) {}

  /// Empty where `value` is as `schema` says. Throws std::runtime_error where
  /// the schema itself cannot be read. Any thread.
  std::vector<schema_mismatch> check(const nlohmann::json& value,
                                     const nlohmann::json& schema) const;

  /// Follows $ref, as often as there is one.
  const nlohmann::json& resolved(const nlohmann::json& node) const;

private:
  const nlohmann::json& document_;
};

} // namespace greenroom::test
