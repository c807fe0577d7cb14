#include "http/proxy/last_output.hpp"

#include "runtime/base/utf8.hpp"
#include "runtime/exec/output/output_log.hpp"

#include <algorithm>
#include <string_view>

namespace greenroom::http::proxy {

namespace {

constexpr std::size_t max_bytes = 8 * 1024;
constexpr std::size_t max_lines = 20;
constexpr std::uint64_t max_records = 256;

/// The length of the escape sequence that `text` begins with.
std::size_t escape_length(std::string_view text) {
  if (text.size() < 2)
    return text.size();
  if (text[1] == ']') { // up to BEL, or ESC and a backslash
    auto end = text.find_first_of("\a\x1b", 2);
    if (end == std::string_view::npos)
      return text.size();
    return end
           + (text[end] == '\a' ? 1
                                : std::min<std::size_t>(2, text.size() - end));
  }
  if (text[1] != '[')
    return 2;
  auto end = std::ranges::find_if(text.begin() + 2, text.end(),
                                  [](char c) { return c >= '@' && c <= '~'; });
  return static_cast<std::size_t>(end - text.begin())
         + (end == text.end() ? 0 : 1);
}

std::string without_escapes(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    auto c = text.front();
    if (c == '\x1b') {
      text.remove_prefix(escape_length(text));
      continue;
    }
    if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t')
      result += c;
    text.remove_prefix(1);
  }
  return result;
}

std::string as_utf8(std::string text) {
  if (!is_utf8(text))
    for (auto& c : text)
      if (static_cast<unsigned char>(c) >= 0x80)
        c = '?';
  return text;
}

} // namespace

std::string last_lines(std::string bytes) {
  if (bytes.size() > max_bytes)
    bytes.erase(0, bytes.size() - max_bytes);
  auto text = without_escapes(bytes);
  while (text.ends_with('\n'))
    text.pop_back();
  auto begin = text.size();
  for (std::size_t lines = 0; begin != 0 && lines < max_lines; ++lines) {
    auto before = text.rfind('\n', begin - 1);
    begin = before == std::string::npos ? 0 : before;
  }
  if (begin != 0)
    ++begin; // behind the line break
  // A character that was cut in two at the beginning is none.
  while (begin < text.size()
         && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80)
    ++begin;
  return as_utf8(text.substr(begin));
}

std::string last_output(const std::filesystem::path& dir) {
  output_log_reader log{dir};
  auto count = log.count();
  auto records = log.records(count - std::min(count, max_records), max_records);
  auto first = records.size();
  for (std::size_t size = 0; first != 0 && size < max_bytes;)
    size += records[--first].length;
  std::string result;
  for (; first < records.size(); ++first) {
    auto& one = records[first];
    auto begin = result.size();
    // Of a long piece its end is enough.
    auto skipped = one.length - std::min<std::size_t>(one.length, max_bytes);
    result.resize(begin + one.length - skipped);
    auto size = log.read(one.stream, one.offset + skipped,
                         {result.data() + begin, result.size() - begin});
    result.resize(begin + size);
  }
  return last_lines(std::move(result));
}

} // namespace greenroom::http::proxy
