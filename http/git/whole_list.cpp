#include "http/git/whole_list.hpp"

#include "http/git/first_request.hpp"
#include "http/git/pkt_line.hpp"
#include "http/git/ref_list.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace greenroom::http::git_http {

namespace {

// What an annotated tag leads to stands under the tag's name and this.
constexpr std::string_view peeled_mark = "^{}";

// "ID NAME", and after a space what is said of it.
std::string_view listed_name(std::string_view line) {
  line = without_line_break(line);
  auto space = line.find(' ');
  if (space == line.npos)
    return {};
  auto name = line.substr(space + 1);
  return name.substr(0, name.find(' '));
}

std::string_view without_peeled_mark(std::string_view name) {
  if (name.ends_with(peeled_mark))
    name.remove_suffix(peeled_mark.size());
  return name;
}

// Empty: it is no annotated tag.
std::string peeled_of(const std::string& name, const string_map& all) {
  auto found = all.find(name + std::string{peeled_mark});
  return found == all.end() ? std::string{} : found->second;
}

// What git advertises: each reference on a line, and beside the first of them
// what git can do.
struct advertisement_parts {
  std::string before; // packets: which version it is
  std::vector<std::string> refs;
  std::string capabilities; // from the NUL on
  std::string after;        // packets: where the history is cut off
};

// What was fetched by name once may have moved there, or be gone.
advertisement_parts parts_of(std::string_view listed) {
  advertisement_parts result;
  for (auto next = first_packet(listed); next && !next->special;
       next = first_packet(listed)) {
    const auto packet = listed.substr(0, next->size);
    listed.remove_prefix(next->size);
    auto line = without_line_break(next->payload);
    if (line.starts_with("version ")) {
      result.before += packet;
      continue;
    }
    if (line.starts_with("shallow ")) {
      result.after += packet;
      continue;
    }
    if (auto end = line.find('\0'); end != line.npos) {
      result.capabilities = line.substr(end);
      line = line.substr(0, end);
    }
    const auto name = listed_name(line);
    if (name != "capabilities^{}" && !is_unusual(without_peeled_mark(name)))
      result.refs.emplace_back(line);
  }
  return result;
}

} // namespace

bool asks_for_all(std::string_view request) {
  return asks_for_list(request) && prefixes_of(request).empty();
}

bool asks_for_peeled(std::string_view request) {
  for (auto next = first_packet(request); next; next = first_packet(request)) {
    if (without_line_break(next->payload) == "peel")
      return true;
    request.remove_prefix(next->size);
  }
  return false;
}

std::string whole_list(std::string_view listed, const string_map& others,
                       bool peeled) {
  string_map packets; // by names: HEAD comes first
  for (auto next = first_packet(listed); next && !next->special;
       next = first_packet(listed)) {
    // What was fetched by name once may have moved there, or be gone.
    if (const auto name = listed_name(next->payload); !is_unusual(name))
      packets.emplace(name, listed.substr(0, next->size));
    listed.remove_prefix(next->size);
  }
  for (const auto& [name, id] : others) {
    if (!is_unusual(name))
      continue;
    const auto target = peeled ? peeled_of(name, others) : std::string{};
    packets.emplace(
      name, make_packet(id + ' ' + name
                        + (target.empty() ? "" : " peeled:" + target) + '\n'));
  }
  std::string result;
  for (const auto& [name, packet] : packets)
    result += packet;
  return result.append(flush_packet);
}

std::string whole_advertisement(std::string_view listed,
                                const string_map& others) {
  auto parts = parts_of(listed);
  for (const auto& [name, id] : others) {
    if (!is_unusual(name))
      continue;
    parts.refs.push_back(id + ' ' + name);
    if (const auto target = peeled_of(name, others); !target.empty())
      parts.refs.push_back(target + ' ' + name + std::string{peeled_mark});
  }
  std::ranges::stable_sort(parts.refs, {}, [](const std::string& line) {
    return without_peeled_mark(listed_name(line));
  });
  if (parts.refs.empty())
    parts.refs.push_back(std::string(40, '0') + " capabilities^{}");
  parts.refs.front() += parts.capabilities;
  auto result = std::move(parts.before);
  for (const auto& line : parts.refs)
    result += make_packet(line + '\n');
  return result.append(parts.after).append(flush_packet);
}

} // namespace greenroom::http::git_http
