// What a refusal says that comes when a request may have been served all the
// same: it must not be taken for one of which nothing was done.
#pragma once

#include "messages/errors.hpp"

#include <string>
#include <string_view>

namespace greenroom {

/// Part of the sentence of every such refusal that asks to try again.
inline constexpr std::string_view effect_unknown =
  "whether the request took effect is not known";

inline bool is_uncertain(const refusal& why) {
  return why.message.find(effect_unknown) != std::string::npos;
}

} // namespace greenroom
