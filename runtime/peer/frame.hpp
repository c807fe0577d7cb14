// How bytes travel between two nodes: frames with a head of 16 bytes,
//
//   length (4)  kind (1)  zero (3)  number (8)  then `length` bytes
//
// all numbers big-endian. Every byte that is passed on has a place in its
// direction, counted from 0:
//
//   data  number = place of its first byte
//   beat  number = how many of the other side's bytes have been handed on, one
//         more once its end has; sent as these go on, and now and then
//   end   number = how many bytes there were; nothing follows but beats
//
// A place that is not the next one is a gap, and ends the connection. A side
// has no more bytes under way than the other's window, so that beats always
// come through, and a peer that is only slow differs from one that is gone.
// Frames of an unknown kind are skipped.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace greenroom::peer {

enum class frame_kind : std::uint8_t { data = 1, beat = 2, end = 3 };

struct frame_head {
  std::uint32_t length = 0;
  frame_kind kind = frame_kind::data;
  std::uint64_t number = 0;
  friend bool operator==(const frame_head&, const frame_head&) = default;
};

inline constexpr std::size_t frame_head_size = 16;
/// The most that is read for one frame, of whatever kind.
inline constexpr std::size_t max_frame = 256 * 1024;

std::array<char, frame_head_size> encode(const frame_head& head) noexcept;
frame_head decode_head(const std::array<char, frame_head_size>& bytes) noexcept;

/// What one side of a connection has sent and had acknowledged, received and
/// handed on. Functions that throw do so for a peer that breaks the rules, with
/// a sentence.
class account {
public:
  /// `own` and `peers` are how many bytes either lets come before the first is
  /// acknowledged.
  account(std::uint64_t own, std::uint64_t peers) : own_(own), peers_(peers) {}

  // -- what we send

  /// How many bytes may be sent now.
  std::uint64_t room() const noexcept;
  /// Returns the place of the first of `size` bytes.
  std::uint64_t send(std::uint64_t size) noexcept;
  /// Returns the number of the frame that ends our direction.
  std::uint64_t send_end() noexcept;
  void acknowledged(std::uint64_t number); // throws std::runtime_error
  std::uint64_t unacknowledged() const noexcept;

  // -- what comes

  void received(std::uint64_t number, std::uint64_t size); // throws
  void received_end(std::uint64_t number);                 // throws
  void handed_on(std::uint64_t size) noexcept;
  void handed_on_end() noexcept;
  /// The number for a beat; notes that it is said.
  std::uint64_t acknowledge() noexcept;
  /// Whether it is time to say how far we are.
  bool is_beat_due() const noexcept;
  bool has_ended() const noexcept {
    return end_received_;
  }

  /// Both directions have ended, and both sides know of all.
  bool is_complete() const noexcept;

private:
  std::uint64_t own_;
  std::uint64_t peers_;
  std::uint64_t sent_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t handed_on_ = 0;
  std::uint64_t said_ = 0;
  bool end_sent_ = false;
  bool end_received_ = false;
  bool end_handed_on_ = false;
};

} // namespace greenroom::peer
