#include "http/git/whole_list.hpp"

#include "http/git/first_request.hpp"
#include "http/git/pkt_line.hpp"
#include "http/git/ref_list.hpp"

namespace greenroom::http::git_http {

namespace {

// "ID NAME", and after a space what is said of it.
std::string_view listed_name(std::string_view line) {
  line = without_line_break(line);
  auto space = line.find(' ');
  if (space == line.npos)
    return {};
  auto name = line.substr(space + 1);
  return name.substr(0, name.find(' '));
}

} // namespace

bool asks_for_all(std::string_view request) {
  return asks_for_list(request) && prefixes_of(request).empty();
}

std::string whole_list(std::string_view listed, const string_map& others) {
  std::string result;
  for (auto next = first_packet(listed); next && !next->special;
       next = first_packet(listed)) {
    // What was fetched by name once may have moved there, or be gone.
    if (!is_unusual(listed_name(next->payload)))
      result += listed.substr(0, next->size);
    listed.remove_prefix(next->size);
  }
  for (const auto& [name, id] : others)
    if (is_unusual(name))
      result += make_packet(id + ' ' + name + '\n');
  return result.append(flush_packet);
}

} // namespace greenroom::http::git_http
