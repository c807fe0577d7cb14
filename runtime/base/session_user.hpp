// Who a session's programs take themselves for inside their sandbox, user and
// group alike.
#pragma once

namespace greenroom {

inline constexpr int user_inside = 1000;

} // namespace greenroom
