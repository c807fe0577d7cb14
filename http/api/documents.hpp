// Documents that are built into the program.
#pragma once

#include <string_view>

namespace greenroom::http {

/// http/api/openapi.json.
std::string_view openapi_document() noexcept;

/// http/api/llms.md, Markdown: how to do the main job, for programs that read.
std::string_view guide_document() noexcept;

} // namespace greenroom::http
