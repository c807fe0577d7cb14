// The OpenAPI document, built into the program from http/openapi.json.
#pragma once

#include <string_view>

namespace greenroom::http {

std::string_view openapi_document() noexcept;

} // namespace greenroom::http
