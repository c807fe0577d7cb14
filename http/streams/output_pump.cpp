#include "http/streams/output_pump.hpp"

#include "http/edge/loop.hpp"
#include "http/edge/thread_context.hpp"
#include "http/streams/file_readers.hpp"
#include "messages/shortage.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace greenroom::http {

namespace {

/// A write that took less shows a quick client.
constexpr std::chrono::milliseconds quick_write{100};

/// Before a read is tried again for which descriptors or memory were lacking.
constexpr std::chrono::milliseconds retry_pause{250};

} // namespace

output_pump::output_pump(edge& env, output_reader from, writer to,
                         std::function<void(outcome)> done)
  : env_(env), from_(std::make_shared<output_reader>(std::move(from))),
    to_(std::move(to)), done_(std::move(done)) {}

void output_pump::look() {
  if (!done_)
    return;
  again_ = true;
  if (!writing_ && !reading_)
    read();
}

void output_pump::finish() {
  finishing_ = true;
  look();
}

void output_pump::stop() noexcept {
  done_ = nullptr;
  to_ = nullptr;
}

void output_pump::read() {
  again_ = false;
  reading_ = true;
  auto wanted = size_;
  if (left_)
    wanted = static_cast<std::size_t>(std::min<std::uint64_t>(*left_, wanted));
  if (buffer_->size() < wanted)
    buffer_->resize(wanted);
  read_elsewhere(
    env_,
    [from = from_, buffer = buffer_, wanted] {
      output_reader::step got;
      if (wanted > 0)
        got = from->read({buffer->data(), wanted});
      from->close();
      return got;
    },
    [weak = weak_from_this()](output_reader::step got,
                              const std::exception_ptr& failure) {
      if (auto self = weak.lock()) {
        self->reading_ = false;
        if (self->done_)
          self->have_read(got, failure);
      }
    });
}

void output_pump::have_read(output_reader::step got,
                            const std::exception_ptr& failure) {
  if (failure)
    not_read(failure);
  else if (got.size != 0)
    write(got.size);
  else if (left_ && *left_ == 0)
    end(outcome::done);
  else if (got.more || again_)
    read();
  else if (finishing_)
    end(left_ ? outcome::broken : outcome::done);
}

void output_pump::not_read(const std::exception_ptr& failure) {
  // The machine may have it again in a moment, and the bytes are not lost.
  if (refusal_of(failure).code == errc::overloaded) {
    env_.loop.after(retry_pause, [weak = weak_from_this()] {
      if (auto self = weak.lock())
        self->look();
    });
    return;
  }
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    spdlog::error("the output of an exec cannot be read: {}", e.what());
  }
  end(outcome::broken);
}

void output_pump::write(std::size_t size) {
  if (left_)
    *left_ -= size;
  writing_ = true;
  write_began_ = std::chrono::steady_clock::now();
  // A copy: where the connection is gone, this ends the pump at once.
  auto to = to_;
  to({buffer_, std::string_view{*buffer_}.substr(0, size)},
     [weak = weak_from_this()](bool well) {
       if (auto self = weak.lock())
         self->written(well);
     });
}

void output_pump::written(bool well) {
  writing_ = false;
  if (!well) {
    end(outcome::gone);
    return;
  }
  auto took = std::chrono::steady_clock::now() - write_began_;
  size_ = took < quick_write ? std::min(size_ * 2, max_write) : min_write;
  if (size_ < buffer_->size() && size_ == min_write)
    buffer_ = std::make_shared<std::string>();
  if (done_)
    read();
}

void output_pump::end(outcome how) {
  to_ = nullptr;
  if (auto done = std::exchange(done_, nullptr))
    done(how);
}

} // namespace greenroom::http
