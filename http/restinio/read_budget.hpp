// How much has been read of requests that are not answered yet: of a
// connection, of all of a thread's, and of each who sends them, a key or an
// address.
//
// One thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <unordered_map>
#include <utility>

namespace greenroom::http {

class read_budget {
public:
  /// Connections below this are exempt from the limit of all together.
  static constexpr std::size_t small = 4 * 1024;
  /// What RESTinio needs for a byte of a body in small chunks.
  static constexpr std::size_t chunk_overhead = 4;
  /// One sender may have one of so many parts.
  static constexpr std::size_t parts = 4;

  /// Room for one whole request of each who may have a part.
  void set_max_of_one(std::size_t size) noexcept {
    max_of_one_ = size;
    max_of_all_ = std::max(std::size_t{64} << 20, parts * size);
  }

  /// One connection's part in it, with whom it belongs to.
  class part {
  public:
    part() = default;
    part(const part&) = delete;
    part& operator=(const part&) = delete;
    ~part() {
      drop();
    }

    /// `sender` is asked who sends it where it is more than small.
    template <class Sender>
    void set(read_budget& of, std::size_t size, Sender sender) {
      budget_ = &of;
      of.now_ += size - size_;
      size_ = size;
      if (size > small)
        charge(sender(), size);
      else
        charge(sender_, 0);
    }

    void drop() noexcept {
      if (budget_ == nullptr)
        return;
      budget_->now_ -= std::exchange(size_, 0);
      charge(sender_, 0);
    }

    std::size_t size() const noexcept {
      return size_;
    }

    /// It alone is more than one request may be.
    bool is_too_large() const noexcept {
      return budget_ != nullptr && size_ > budget_->max_of_one_;
    }
    /// All of its sender's are too much.
    bool is_over_share() const noexcept {
      return charged_ > 0
             && budget_->senders_.at(sender_) > budget_->max_of_all_ / parts;
    }
    bool is_too_much() const noexcept {
      return charged_ > 0 && budget_->now_ > budget_->max_of_all_;
    }

  private:
    void charge(std::size_t sender, std::size_t size) {
      if (sender == sender_ && size == charged_)
        return;
      auto& all = budget_->senders_;
      if (charged_ > 0)
        if (auto of = all.find(sender_); (of->second -= charged_) == 0)
          all.erase(of);
      sender_ = sender;
      charged_ = size;
      if (size > 0)
        all[sender] += size;
    }

    read_budget* budget_ = nullptr; // null: nothing was read yet
    std::size_t size_ = 0;
    std::size_t sender_ = 0;
    std::size_t charged_ = 0; // to the sender
  };

private:
  std::size_t max_of_one_ = std::size_t{4} << 20;
  std::size_t max_of_all_ = std::size_t{64} << 20;
  std::size_t now_ = 0;
  std::unordered_map<std::size_t, std::size_t> senders_; // hashes; bytes
};

} // namespace greenroom::http
