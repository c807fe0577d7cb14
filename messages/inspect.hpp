// How a message serialises: its fields in order, after its type's name.
//
// Fields are never reordered, removed or changed in type, since nodes of
// different versions talk to each other; a new one is a new message.
#pragma once

#include <caf/meta/type_name.hpp>

namespace greenroom {

#define GREENROOM_INSPECT(type, ...)                                           \
  template <class Inspector>                                                   \
  typename Inspector::result_type inspect(Inspector& f,                        \
                                          [[maybe_unused]] type& x) {          \
    return f(caf::meta::type_name(#type) __VA_OPT__(, ) __VA_ARGS__);          \
  }

} // namespace greenroom
