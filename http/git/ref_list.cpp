#include "http/git/ref_list.hpp"

#include "http/git/pkt_line.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace greenroom::http::git_http {

namespace {

constexpr std::string_view shallow_mark = "shallow ";
constexpr std::string_view prefix_mark = "ref-prefix ";

// Calls `visit` with each packet until it says no, or no more is there.
template <class Visit>
void each_packet(std::string_view bytes, Visit&& visit) {
  try {
    while (auto next = first_packet(bytes)) {
      if (!visit(*next))
        return;
      bytes.remove_prefix(next->size);
    }
  } catch (const bad_packet&) {
    // git itself says so.
  }
}

bool is_flush(const packet& one, std::string_view at) {
  return one.special && at.starts_with(flush_packet);
}

} // namespace

ref_list::ref_list(string_map more, std::vector<std::string> prefixes)
  : more_(std::move(more)) {
  std::erase_if(more_, [&](const auto& one) {
    return !prefixes.empty()
           && std::ranges::none_of(prefixes, [&](const auto& prefix) {
                return one.first.starts_with(prefix);
              });
  });
}

// "ID NAME", and after a NUL or a space what is said of it.
void ref_list::see(std::string_view line) {
  line = without_line_break(line);
  auto space = line.find(' ');
  if (space == line.npos)
    return;
  auto name = line.substr(space + 1);
  name = name.substr(0, name.find_first_of(std::string_view{" \0", 2}));
  empty_ = empty_ || name.starts_with("capabilities^");
  more_.erase(std::string{name});
}

std::string ref_list::additions() {
  done_ = true;
  std::string result;
  if (!empty_)
    for (const auto& [name, id] : more_)
      result += make_packet(id + ' ' + name + '\n');
  return result;
}

std::string ref_list::pass(std::string_view bytes) {
  if (done_)
    return std::string{bytes};
  pending_ += bytes;
  std::string result;
  std::string_view rest = pending_;
  try {
    while (auto next = first_packet(rest)) {
      if (!done_
          && (is_flush(*next, rest) || next->payload.starts_with(shallow_mark)))
        result += additions();
      if (!done_ && !next->special)
        see(next->payload);
      result += rest.substr(0, next->size);
      rest.remove_prefix(next->size);
    }
  } catch (const bad_packet&) {
    done_ = true;
  }
  if (done_) {
    result += rest;
    rest = {};
  }
  pending_ = std::string{rest};
  return result;
}

std::string ref_list::rest() {
  return std::exchange(pending_, {});
}

bool asks_for_list(std::string_view request) {
  auto result = false;
  each_packet(request, [&](const packet& first) {
    result = without_line_break(first.payload) == "command=ls-refs";
    return false;
  });
  return result;
}

bool may_be_part_of_list(std::string_view request) {
  auto first = true;
  auto may_be = true;
  std::size_t at = 0;
  each_packet(request, [&](const packet& one) {
    may_be =
      !is_flush(one, request.substr(at)) && (!first || asks_for_list(request));
    first = false;
    at += one.size;
    return may_be;
  });
  return may_be && request.size() < max_packet;
}

std::vector<std::string> prefixes_of(std::string_view request) {
  std::vector<std::string> result;
  each_packet(request, [&](const packet& one) {
    auto line = without_line_break(one.payload);
    if (line.starts_with(prefix_mark))
      result.emplace_back(line.substr(prefix_mark.size()));
    return true;
  });
  return result;
}

} // namespace greenroom::http::git_http
