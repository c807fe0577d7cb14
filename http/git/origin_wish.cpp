#include "http/git/origin_wish.hpp"

#include "http/git/pkt_line.hpp"
#include "http/git/route.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace greenroom::http::git_http {

namespace {

std::optional<origin_verb> origin_verb_of(std::string_view word) {
  if (word == "git-upload-pack")
    return origin_verb::fetch;
  if (word == "git-receive-pack")
    return origin_verb::push;
  if (word == "lfs-download")
    return origin_verb::get_contents;
  if (word == "lfs-upload")
    return origin_verb::bring_contents;
  return std::nullopt;
}

} // namespace

// "git-upload-pack /up.git\0host=greenroom\0\0version=2\0"
std::optional<origin_wish> read_origin_wish(std::string_view payload) {
  auto next = [&payload](char end) {
    auto part = payload.substr(0, payload.find(end));
    payload.remove_prefix(std::min(payload.size(), part.size() + 1));
    return part;
  };
  auto what = origin_verb_of(next(' '));
  auto path = without_line_break(next('\0'));
  if (!what || path.size() > max_origin_path)
    return std::nullopt;
  next('\0'); // the host
  next('\0');
  auto protocol = sane_protocol(next('\0'));
  return origin_wish{*what, std::string{path}, std::string{protocol}};
}

std::optional<git::lfs_object> read_lfs_wish(std::string_view text) {
  auto space = std::min(text.find(' '), text.size());
  git::lfs_object result{std::string{text.substr(0, space)}, 0};
  auto digits = text.substr(std::min(space + 1, text.size()));
  auto [end, fault] =
    std::from_chars(digits.data(), digits.data() + digits.size(), result.size);
  if (!git::is_lfs_oid(result.oid) || fault != std::errc{}
      || end != digits.data() + digits.size())
    return std::nullopt;
  return result;
}

} // namespace greenroom::http::git_http
