// Room on the data directory's disk that is kept for what must be written when
// it is full: starts, endings of sessions, revocations of keys.
//
// A file of a fixed size takes the room while there is plenty. What must be
// written and cannot has a part of the file given back, and is tried again; so
// an administrator can end sessions and win space by the API. The reserve is
// filled again once there is room enough. All that is known of it is the file,
// so that whoever writes may have an object of its own; any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace greenroom {

class disk_reserve {
public:
  /// 16 MiB, or a sixteenth of a small disk.
  static constexpr std::uint64_t max_size = std::uint64_t{16} << 20;

  /// Takes nothing yet; a reserve that an earlier run kept is there.
  explicit disk_reserve(std::filesystem::path data_dir);

  /// Gives a quarter of it back, if the disk is full. False: it is not, or
  /// nothing is left, so that trying again is no use.
  bool spend() const;

  /// Tries to write a little, and fills the reserve again where there is room.
  /// Returns why the disk takes nothing, in a few words without a path; empty:
  /// it does. A disk with no more room than was given up is full, as is one
  /// with too few inodes for another session. May wait for the disk.
  std::string check() const;

  /// When that was done last, also by an earlier run of the node, in
  /// milliseconds since 1970; 0: never.
  std::int64_t last_check() const;

private:
  std::uint64_t wanted_size() const;
  std::uint64_t room() const;
  bool lacks_inodes() const;
  void fill() const;

  const std::filesystem::path dir_;
  const std::filesystem::path file_;
};

} // namespace greenroom
