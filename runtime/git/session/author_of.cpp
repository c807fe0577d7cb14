#include "runtime/git/session/author_of.hpp"

namespace greenroom {

git::author author_of(const caller& by) {
  auto open = by.author.rfind('<');
  auto close = by.author.rfind('>');
  if (open != std::string::npos && close != std::string::npos && open < close) {
    auto name = by.author.substr(0, open);
    name.erase(name.find_last_not_of(' ') + 1);
    return {name, by.author.substr(open + 1, close - open - 1)};
  }
  return {by.key_name.empty() ? by.key_id : by.key_name,
          by.key_id + "@greenroom.invalid"};
}

git::author author_of(const session_record& session) {
  return author_of(
    caller{session.created_by, session.created_by, session.author});
}

} // namespace greenroom
