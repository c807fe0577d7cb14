#include "http/wire/websocket_frames.hpp"

#include "runtime/base/json_text.hpp"
#include "runtime/base/utf8.hpp"

#include <openssl/sha.h>

#include <algorithm>
#include <utility>

namespace greenroom::http::ws {

namespace {

constexpr std::size_t max_control = 125;
constexpr std::size_t mask_size = 4;

bool is_control(opcode kind) noexcept {
  return kind >= opcode::close;
}

bool is_known(unsigned code) noexcept {
  return code <= 2 || (code >= 8 && code <= 10);
}

} // namespace

struct frame_reader::head {
  opcode kind = opcode::binary;
  bool final = true;
  std::uint64_t length = 0;
  std::size_t size = 0; // of the head itself, with the mask
};

std::optional<message> frame_reader::fail(close_code why) {
  fault_ = why;
  in_.clear();
  begin_ = 0;
  so_far_.clear();
  return std::nullopt;
}

void frame_reader::add(std::string_view bytes) {
  in_.erase(0, std::exchange(begin_, 0));
  in_ += bytes;
}

std::optional<frame_reader::head> frame_reader::read_head() {
  if (in_.size() - begin_ < 2)
    return std::nullopt;
  auto byte = [&](std::size_t i) {
    return static_cast<unsigned char>(in_[begin_ + i]);
  };
  head result;
  auto code = byte(0) & 0x0fu;
  result.final = (byte(0) & 0x80u) != 0;
  result.kind = static_cast<opcode>(code);
  result.length = byte(1) & 0x7fu;
  result.size = 2;
  auto masked = (byte(1) & 0x80u) != 0;
  auto reserved = (byte(0) & 0x70u) != 0;
  auto bad_control =
    code >= 8 && (!result.final || result.length > max_control);
  if (!masked || reserved || !is_known(code) || bad_control) {
    fail(close_code::protocol_error);
    return std::nullopt;
  }
  auto more = result.length == 126 ? 2u : result.length == 127 ? 8u : 0u;
  result.size += more + mask_size;
  if (in_.size() - begin_ < result.size)
    return std::nullopt;
  if (more != 0) {
    result.length = 0;
    for (std::size_t i = 0; i < more; ++i)
      result.length = result.length << 8 | byte(2 + i);
  }
  return result;
}

std::optional<message> frame_reader::next() {
  while (!fault_) {
    auto frame = read_head();
    if (!frame)
      return std::nullopt;
    if (!is_control(frame->kind)
        && frame->length > limit_ - std::min(limit_, so_far_.size()))
      return fail(close_code::too_big);
    auto length = static_cast<std::size_t>(frame->length);
    if (in_.size() - begin_ - frame->size < length)
      return std::nullopt;
    auto payload = in_.substr(begin_ + frame->size, length);
    auto mask = in_.substr(begin_ + frame->size - mask_size, mask_size);
    for (std::size_t i = 0; i < length; ++i)
      payload[i] = static_cast<char>(payload[i] ^ mask[i % mask_size]);
    begin_ += frame->size + length;
    if (auto whole = take(*frame, std::move(payload)))
      return whole;
  }
  return std::nullopt;
}

std::optional<message> frame_reader::take(const head& frame,
                                          std::string payload) {
  if (is_control(frame.kind))
    return message{frame.kind, std::move(payload)};
  // A message goes on with continuations, and nothing else does.
  if ((frame.kind == opcode::continuation) != begun_.has_value())
    return fail(close_code::protocol_error);
  if (!begun_)
    begun_ = frame.kind;
  so_far_ += payload;
  if (!frame.final)
    return std::nullopt;
  message result{*begun_, std::move(so_far_)};
  begun_.reset();
  so_far_.clear();
  return result;
}

std::string frame_head(opcode kind, std::size_t size) {
  std::string result;
  result.push_back(static_cast<char>(0x80u | static_cast<unsigned>(kind)));
  auto put = [&](unsigned bytes) {
    for (auto i = bytes; i-- > 0;)
      result.push_back(static_cast<char>(std::uint64_t{size} >> (8 * i)));
  };
  if (size <= max_control) {
    put(1);
  } else if (size <= 0xffff) {
    result.push_back(126);
    put(2);
  } else {
    result.push_back(127);
    put(8);
  }
  return result;
}

std::string close_payload(close_code why, std::string_view reason) {
  auto code = static_cast<unsigned>(why);
  std::string result{static_cast<char>(code >> 8), static_cast<char>(code)};
  auto text = reason.substr(0, max_control - result.size());
  // A browser takes a reason that is cut inside a character for a fault.
  text.remove_suffix(incomplete_tail(text));
  result += text;
  return result;
}

std::string accept_key(std::string_view key) {
  std::string text{key};
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::string digest(SHA_DIGEST_LENGTH, '\0');
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       reinterpret_cast<unsigned char*>(digest.data()));
  std::string result;
  append_base64(result, digest);
  return result;
}

bool is_key(std::string_view text) noexcept {
  auto in_alphabet = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
           || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  return text.size() == 24 && text.ends_with("==")
         && std::ranges::all_of(text.substr(0, 22), in_alphabet);
}

} // namespace greenroom::http::ws
