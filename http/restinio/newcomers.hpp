// Connections of who has shown no key so far, which wait for a request or for
// their end: they have less time than others.
//
// Of one thread, in the order in which they began to wait; so a look costs what
// is late, and not what is there.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <memory>
#include <utility>

namespace greenroom::http {

class newcomers {
public:
  using clock = std::chrono::steady_clock;

  class connection {
  public:
    /// Its time is over.
    virtual void came_late() = 0;

  protected:
    ~connection() = default;
  };

  /// One that waits, for as long as this lives.
  class place {
  public:
    place(newcomers& of, connection& who)
      : of_(of), at_(of.all_.insert(of.all_.end(), {&who, clock::now()})) {}
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place() {
      of_.all_.erase(at_);
    }

  private:
    newcomers& of_;
    std::list<std::pair<connection*, clock::time_point>>::iterator at_;
  };

  std::size_t size() const noexcept {
    return all_.size();
  }

  /// Tells those that have waited for `timeout`, once each time.
  void look(clock::time_point now, clock::duration timeout) {
    for (auto i = all_.begin();
         i != all_.end() && now - i->second >= timeout;) {
      auto* late = i->first;
      ++i; // its place may go
      late->came_late();
    }
  }

private:
  std::list<std::pair<connection*, clock::time_point>> all_;
};

} // namespace greenroom::http
