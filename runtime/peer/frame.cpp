#include "runtime/peer/frame.hpp"

#include <algorithm>
#include <stdexcept>

namespace greenroom::peer {

namespace {

template <class T>
void put(char* at, T value) noexcept {
  for (auto i = sizeof(T); i-- > 0; value = static_cast<T>(value >> 8))
    at[i] = static_cast<char>(value & 0xff);
}

template <class T>
T get(const char* at) noexcept {
  T result = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    result = static_cast<T>(result << 8 | static_cast<unsigned char>(at[i]));
  return result;
}

} // namespace

std::array<char, frame_head_size> encode(const frame_head& head) noexcept {
  std::array<char, frame_head_size> result{};
  put(result.data(), head.length);
  result[4] = static_cast<char>(head.kind);
  put(result.data() + 8, head.number);
  return result;
}

frame_head
decode_head(const std::array<char, frame_head_size>& bytes) noexcept {
  return {get<std::uint32_t>(bytes.data()), static_cast<frame_kind>(bytes[4]),
          get<std::uint64_t>(bytes.data() + 8)};
}

std::uint64_t account::room() const noexcept {
  auto open = unacknowledged();
  return open < peers_ ? peers_ - open : 0;
}

std::uint64_t account::send(std::uint64_t size) noexcept {
  auto place = sent_;
  sent_ += size;
  return place;
}

std::uint64_t account::send_end() noexcept {
  end_sent_ = true;
  return sent_;
}

void account::acknowledged(std::uint64_t number) {
  if (number < acknowledged_ || number > sent_ + (end_sent_ ? 1 : 0))
    throw std::runtime_error("the peer acknowledged what was not sent");
  acknowledged_ = number;
}

std::uint64_t account::unacknowledged() const noexcept {
  return sent_ - std::min(sent_, acknowledged_);
}

void account::received(std::uint64_t number, std::uint64_t size) {
  if (number != received_ || end_received_)
    throw std::runtime_error("there is a gap: byte " + std::to_string(number)
                             + " came where " + std::to_string(received_)
                             + " was next");
  received_ += size;
  if (received_ - handed_on_ > own_)
    throw std::runtime_error("the peer sent more than it may");
}

void account::received_end(std::uint64_t number) {
  received(number, 0);
  end_received_ = true;
}

void account::handed_on(std::uint64_t size) noexcept {
  handed_on_ += size;
}

void account::handed_on_end() noexcept {
  end_handed_on_ = true;
}

std::uint64_t account::acknowledge() noexcept {
  said_ = handed_on_ + (end_handed_on_ ? 1 : 0);
  return said_;
}

bool account::is_beat_due() const noexcept {
  return handed_on_ - std::min(said_, handed_on_) >= own_ / 4
         || (end_handed_on_ && said_ <= handed_on_);
}

bool account::is_complete() const noexcept {
  return end_sent_ && acknowledged_ > sent_ && end_handed_on_
         && said_ > handed_on_;
}

} // namespace greenroom::peer
