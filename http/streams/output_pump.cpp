#include "http/streams/output_pump.hpp"

#include "http/edge/loop.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace greenroom::http {

namespace {

/// A write that took less shows a quick client.
constexpr std::chrono::milliseconds quick{100};

} // namespace

output_pump::output_pump(http::loop& home, output_reader from, writer to,
                         std::function<void(outcome)> done)
  : loop_(home), from_(std::move(from)), to_(std::move(to)),
    done_(std::move(done)) {}

void output_pump::look() {
  if (writing_ || !done_ || std::exchange(stepping_, true))
    return;
  loop_.post([weak = weak_from_this()] {
    if (auto self = weak.lock()) {
      self->stepping_ = false;
      self->step();
    }
  });
}

void output_pump::finish() {
  finishing_ = true;
  look();
}

void output_pump::stop() noexcept {
  done_ = nullptr;
  to_ = nullptr;
}

void output_pump::step() {
  if (writing_ || !done_)
    return;
  auto wanted = size_;
  if (left_)
    wanted = static_cast<std::size_t>(std::min<std::uint64_t>(*left_, wanted));
  if (wanted == 0) {
    end(outcome::done);
    return;
  }
  if (buffer_->size() < wanted)
    buffer_->resize(wanted);
  output_reader::step got;
  try {
    got = from_.read({buffer_->data(), wanted});
  } catch (const std::exception& e) {
    spdlog::error("the output of an exec cannot be read: {}", e.what());
    end(outcome::broken);
    return;
  }
  if (got.size != 0) {
    if (left_)
      *left_ -= got.size;
    writing_ = true;
    write_began_ = std::chrono::steady_clock::now();
    // A copy: where the connection is gone, this ends the pump at once.
    auto to = to_;
    to({buffer_, std::string_view{*buffer_}.substr(0, got.size)},
       [weak = weak_from_this()](bool well) {
         if (auto self = weak.lock())
           self->written(well);
       });
  } else if (got.more) {
    look();
  } else if (finishing_) {
    end(left_ ? outcome::broken : outcome::done);
  }
}

void output_pump::written(bool well) {
  writing_ = false;
  if (!well) {
    end(outcome::gone);
    return;
  }
  auto took = std::chrono::steady_clock::now() - write_began_;
  size_ = took < quick ? std::min(size_ * 2, max_write) : min_write;
  if (size_ < buffer_->size() && size_ == min_write)
    buffer_ = std::make_shared<std::string>();
  step();
}

void output_pump::end(outcome how) {
  to_ = nullptr;
  if (auto done = std::exchange(done_, nullptr))
    done(how);
}

} // namespace greenroom::http
