#include "http/git/push_request.hpp"

#include "http/git/pkt_line.hpp"
#include "messages/errors.hpp"

#include <algorithm>

namespace greenroom::http::git_http {

namespace {

// Longer ones no file system takes, by which git keeps references. An answer
// repeats it in one packet, with a sentence.
constexpr std::size_t max_ref = 4096;
constexpr std::size_t max_told_of_push = 16 * 1024;

[[noreturn]] void refuse_push() {
  throw refused{errc::bad_request, "the push has commands that are not git's"};
}

bool is_object_id(std::string_view text) noexcept {
  constexpr std::string_view digits = "0123456789abcdef";
  return (text.size() == 40 || text.size() == 64)
         && text.find_first_not_of(digits) == std::string_view::npos;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> result;
  while (!text.empty()) {
    auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (!word.empty())
      result.emplace_back(word);
  }
  return result;
}

/// Cuts `text` at the next space.
std::string_view next_word(std::string_view& text) {
  auto space = text.find(' ');
  if (space == std::string_view::npos)
    refuse_push();
  auto word = text.substr(0, space);
  text.remove_prefix(space + 1);
  return word;
}

push_command read_command(std::string_view text) {
  auto old_id = next_word(text);
  auto new_id = next_word(text);
  if (!is_object_id(old_id) || !is_object_id(new_id)
      || old_id.size() != new_id.size() || !text.starts_with("refs/")
      || text.size() > max_ref)
    refuse_push();
  return {std::string{old_id}, std::string{new_id}, std::string{text}};
}

bool is_shallow(std::string_view text) noexcept {
  constexpr std::string_view mark = "shallow ";
  return text.starts_with(mark) && is_object_id(text.substr(mark.size()));
}

} // namespace

bool push_request::has(std::string_view capability) const noexcept {
  return std::find(capabilities.begin(), capabilities.end(), capability)
         != capabilities.end();
}

std::size_t push_request::side_band() const noexcept {
  if (has("side-band-64k"))
    return max_packet - 5;
  return has("side-band") ? 995 : 0;
}

bool is_null_id(std::string_view id) noexcept {
  return id.find_first_not_of('0') == std::string_view::npos;
}

std::optional<push_request> read_push(std::string_view body) {
  push_request result;
  for (;;) {
    auto next = first_packet(body.substr(result.size));
    if (result.size + (next ? next->size : 0) > max_push_head
        || (!next && body.size() > max_push_head + max_packet))
      throw refused{errc::bad_request, "the push has too many commands"};
    if (!next)
      return std::nullopt;
    result.size += next->size;
    if (next->special)
      return result;
    auto text = next->payload;
    if (auto end = text.find('\0'); end != std::string_view::npos) {
      result.capabilities = words_of(without_line_break(text.substr(end + 1)));
      text = text.substr(0, end);
    }
    text = without_line_break(text);
    if (!is_shallow(text))
      result.commands.push_back(read_command(text));
  }
}

std::optional<std::string> fault_of(const push_request& push,
                                    std::string_view branch) {
  auto name = '"' + std::string{branch} + '"';
  if (push.commands.size() != 1
      || push.commands.front().ref != "refs/heads/" + std::string{branch})
    return "only the branch " + name + " of this session can be pushed";
  if (is_null_id(push.commands.front().new_id))
    return "the branch " + name + " of this session cannot be deleted";
  return std::nullopt;
}

std::string refusal_of(const push_request& push, std::string_view sentence) {
  auto text = "greenroom: " + std::string{sentence.substr(0, max_told_of_push)};
  auto report = make_packet("unpack ok\n");
  for (auto& one : push.commands)
    report += make_packet("ng " + one.ref + ' ' + text + '\n');
  report += flush_packet;
  auto room = push.side_band();
  if (room == 0)
    return report;
  auto result = make_packet('\2' + text + '\n');
  for (std::string_view rest = report; !rest.empty();) {
    auto piece = rest.substr(0, room);
    rest.remove_prefix(piece.size());
    result += make_packet('\1' + std::string{piece});
  }
  return result.append(flush_packet);
}

} // namespace greenroom::http::git_http
