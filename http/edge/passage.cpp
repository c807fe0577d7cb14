#include "http/edge/passage.hpp"

#include <charconv>

namespace greenroom::http {

namespace {

constexpr std::string_view mark = ".via-";

/// A longer id would not be taken, and the mark would be lost with it.
constexpr std::size_t longest_id = 128;

} // namespace

std::string passage_text(const passage& by) {
  return by.epoch == 0 ? by.node : by.node + '@' + std::to_string(by.epoch);
}

passage read_passage(std::string_view text) {
  auto at = text.rfind('@');
  passage result{std::string{text.substr(0, at)}};
  if (at != std::string_view::npos)
    std::from_chars(text.data() + at + 1, text.data() + text.size(),
                    result.epoch);
  return result;
}

std::string id_by_way_of(std::string_view request_id, const passage& by) {
  auto end = std::string{mark} + passage_text(by);
  return std::string{request_id.substr(0, longest_id - end.size())} + end;
}

std::string without_passage(std::string_view request_id) {
  return std::string{request_id.substr(0, request_id.rfind(mark))};
}

std::string client_text(const passed_client& client) {
  return client.request_id.empty() ? client.address
                                   : client.address + ' ' + client.request_id;
}

passed_client read_passed_client(std::string_view text) {
  auto blank = text.find(' ');
  if (blank == std::string_view::npos)
    return {std::string{text}, {}};
  return {std::string{text.substr(0, blank)},
          std::string{text.substr(blank + 1)}};
}

std::optional<passage> passage_of_id(std::string_view request_id) {
  auto at = request_id.rfind(mark);
  if (at == std::string_view::npos)
    return std::nullopt;
  return read_passage(request_id.substr(at + mark.size()));
}

bool is_misled(const passage& by, const whereabouts& now) noexcept {
  return !now.elsewhere.empty() || (by.epoch != 0 && by.epoch != now.epoch);
}

std::string moved_sentence(const whereabouts& now) {
  return now.elsewhere.empty()
           ? "the session has moved meanwhile, try again"
           : "the session has moved to node " + now.elsewhere + ", try again";
}

} // namespace greenroom::http
