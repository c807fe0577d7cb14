#include "tests/support/traffic.hpp"

#include <atomic>
#include <mutex>
#include <set>

namespace greenroom::test {

namespace {

std::atomic<traffic_observer*> current = nullptr;
std::atomic<int> asides = 0;

struct port_set {
  std::mutex mutex;
  std::multiset<std::uint16_t> all;
};

port_set& ports() {
  static port_set result;
  return result;
}

traffic_observer* observer_at(std::uint16_t port) {
  auto* result = current.load();
  if (result == nullptr || asides > 0)
    return nullptr;
  std::lock_guard lock{ports().mutex};
  return ports().all.contains(port) ? result : nullptr;
}

} // namespace

void observe_traffic(traffic_observer* observer) {
  current = observer;
}

beside_the_document::beside_the_document() {
  ++asides;
}

beside_the_document::~beside_the_document() {
  --asides;
}

void api_port_opened(std::uint16_t port) {
  std::lock_guard lock{ports().mutex};
  ports().all.insert(port);
}

void api_port_closed(std::uint16_t port) {
  std::lock_guard lock{ports().mutex};
  if (auto found = ports().all.find(port); found != ports().all.end())
    ports().all.erase(found);
}

void tell_answered(std::uint16_t port, const http_exchange& exchange) {
  if (auto* observer = observer_at(port))
    observer->answered(exchange);
}

void tell_streamed(std::uint16_t port, const std::string& path,
                   const sse_event& event) {
  if (auto* observer = observer_at(port))
    observer->streamed(path, event);
}

} // namespace greenroom::test
