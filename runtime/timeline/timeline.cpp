#include "runtime/timeline/timeline.hpp"

#include "runtime/base/injected_faults.hpp"
#include "runtime/timeline/timeline_scan.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace greenroom {

namespace {

// False, with errno set, when not all of it could be written.
bool write_at(int fd, std::uint64_t offset, std::span<const char> data) {
  if (auto error = injected_fault("pwrite")) {
    errno = error;
    return false;
  }
  while (!data.empty()) {
    auto n = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (n >= 0) {
      data = data.subspan(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

void truncate_to(int fd, std::uint64_t size,
                 const std::filesystem::path& path) {
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0)
    throw_errno("cannot truncate", path);
}

} // namespace

// -- writing ------------------------------------------------------------------

timeline_writer::timeline_writer(const std::filesystem::path& session_dir,
                                 std::uint64_t after)
  : dir_(session_dir.string()), base_(after) {
  recover();
}

std::filesystem::path timeline_writer::path_of(const char* name) const {
  return std::filesystem::path{dir_} / name;
}

// Finds the last good record, cuts off what follows it, and brings the index
// up to it. Changes nothing in memory if it throws.
void timeline_writer::recover() {
  const auto path = path_of(timeline_name);
  const auto index_path = path_of(timeline_index_name);
  std::uint64_t base = base_;
  std::uint64_t version = 0, end = 0, indexed = 0;
  std::vector<std::uint64_t> missing; // from the index
  auto file = open_if_there(path, O_RDWR);
  auto index = open_if_there(index_path, O_RDWR);
  if (file)
    base = base_of(file.get()).value_or(base);
  event_id last{0, base};
  auto take = [&](const timeline_record& record) {
    last = record.entry.id;
    version = record.newest_version;
    end += record.size;
  };
  if (file) {
    // If the last event of the index is where it says, the index is believed.
    const auto count = index ? file_size(index.get()) / 8 : 0;
    if (count > 0) {
      end = *index_entry(index.get(), count);
      if (auto found =
            timeline_scan{file.get(), end, base + count, 4096}.next()) {
        take(*found);
        indexed = count;
      } else {
        end = 0;
      }
    }
    timeline_scan scan{file.get(), end, last.seq + 1};
    while (auto record = scan.next()) {
      missing.push_back(end);
      take(*record);
    }
    if (file_size(file.get()) > end)
      truncate_to(file.get(), end, path);
  }
  if (index && file_size(index.get()) != indexed * 8)
    truncate_to(index.get(), indexed * 8, index_path);
  base_ = base;
  last_ = last;
  last_version_ = version;
  end_ = end;
  indexed_ = indexed;
  extend_index(missing);
}

// Adds the offsets of the events that follow those in the index. A failure is
// no loss, the timeline has it all: the index lags behind until the next
// append mends it.
void timeline_writer::extend_index(std::span<const std::uint64_t> offsets) {
  if (offsets.empty())
    return;
  unique_fd index{::open(path_of(timeline_index_name).c_str(),
                         O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  // A shorter file is not the one that was written before.
  const auto size = index ? ::lseek(index.get(), 0, SEEK_END) : -1;
  if (size < 0 || static_cast<std::uint64_t>(size) / 8 < indexed_)
    return;
  std::span bytes{reinterpret_cast<const char*>(offsets.data()),
                  offsets.size_bytes()};
  if (write_at(index.get(), indexed_ * 8, bytes))
    indexed_ += offsets.size();
}

void timeline_writer::append(std::span<const timeline_entry> entries) {
  if (entries.empty())
    return;
  if (base_ + indexed_ != last_.seq)
    recover();
  std::string records;
  std::vector<std::uint64_t> offsets;
  offsets.reserve(entries.size());
  auto last = last_;
  auto version = last_version_;
  for (const auto& entry : entries) {
    if (entry.id.seq != last.seq + 1 || entry.id.epoch < last.epoch)
      throw std::logic_error("event " + to_string(entry.id)
                             + " cannot follow event " + to_string(last));
    last = entry.id;
    version = std::max(version, entry.version);
    offsets.push_back(end_ + records.size());
    append_record(records, entry, version);
  }
  const auto path = path_of(timeline_name);
  unique_fd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  if (!file)
    throw_errno("cannot open", path);
  const auto size = file_size(file.get());
  if (size < end_)
    throw std::runtime_error("\"" + path.string()
                             + "\" has become shorter than it was written");
  // A failed append may have left bytes that could not be taken back then.
  if (size > end_)
    truncate_to(file.get(), end_, path);
  if (!write_at(file.get(), end_, records)) {
    const auto error = errno;
    // Where this fails, the next append or recover() does it; readers do not
    // look past the index.
    [[maybe_unused]] auto ignored =
      ::ftruncate(file.get(), static_cast<off_t>(end_));
    errno = error;
    throw_errno("cannot append to", path);
  }
  const bool index_is_whole = base_ + indexed_ == last_.seq;
  last_ = last;
  last_version_ = version;
  end_ += records.size();
  if (index_is_whole)
    extend_index(offsets);
}

// -- reading ------------------------------------------------------------------

timeline_reader::timeline_reader(const std::filesystem::path& session_dir)
  : path_(session_dir / timeline_name),
    timeline_(open_if_there(path_, O_RDONLY)),
    index_(open_if_there(session_dir / timeline_index_name, O_RDONLY)) {
  if (timeline_)
    base_ = base_of(timeline_.get()).value_or(0);
}

std::uint64_t timeline_reader::last_seq() const {
  const auto count = timeline_ && index_ ? file_size(index_.get()) / 8 : 0;
  return count == 0 ? 0 : base_ + count;
}

std::vector<timeline_entry>
timeline_reader::entries(std::uint64_t after_seq, std::size_t max_entries,
                         std::size_t max_bytes) const {
  std::vector<timeline_entry> result;
  const auto last = last_seq();
  after_seq = std::max(after_seq, base_);
  if (after_seq >= last || max_entries == 0)
    return result;
  const auto count = std::min<std::uint64_t>(last - after_seq, max_entries);
  const auto chunk = std::clamp<std::size_t>(max_bytes, 4096, 256 * 1024);
  auto damaged = [this](const timeline_scan& scan) {
    return std::runtime_error("\"" + path_.string() + "\" is damaged at byte "
                              + std::to_string(scan.offset()));
  };
  // The index may have been damaged where its writer did not look; what it
  // says holds only if the right event is there.
  const auto begin = index_entry(index_.get(), after_seq - base_ + 1);
  timeline_scan scan{timeline_.get(), begin.value_or(0), after_seq + 1, chunk};
  auto record = scan.next();
  if (!record) {
    scan = timeline_scan{timeline_.get(), 0, base_ + 1};
    for (std::uint64_t seq = base_; seq <= after_seq; ++seq)
      if (!(record = scan.next()))
        throw damaged(scan);
  }
  std::size_t bytes = 0;
  for (;;) {
    bytes += record->size;
    if (!result.empty() && bytes > max_bytes)
      break;
    result.push_back(std::move(record->entry));
    if (result.size() == count)
      break;
    if (!(record = scan.next()))
      throw damaged(scan);
  }
  return result;
}

} // namespace greenroom
