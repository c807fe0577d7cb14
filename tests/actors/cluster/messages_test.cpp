// Every message crosses: what one node sends, another one gets as it was.
#include "messages/type_ids.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/deep_to_string.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/meta/load_callback.hpp>
#include <caf/scoped_actor.hpp>
#include <catch2/catch.hpp>

#include <map>
#include <optional>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

namespace greenroom::test {

namespace {

struct all_messages : caf::actor_system_config {
  all_messages() {
    add_message_types<caf::id_block::greenroom>();
  }
};

// Gives each field a value that is not the default. An inspector that writes.
class filler {
public:
  using result_type = caf::error;
  static constexpr bool reads_state = false;
  static constexpr bool writes_state = true;

  explicit filler(caf::actor handle) : handle_(std::move(handle)) {}

  template <class... Ts>
  caf::error operator()(Ts&&... all) {
    caf::error first;
    auto one = [&](auto& x) {
      if (!first)
        first = fill(x);
    };
    (one(all), ...);
    return first;
  }

private:
  template <class T>
  caf::error fill(T& x) {
    if constexpr (caf::meta::is_load_callback<T>::value) {
      return x.fun();
    } else if constexpr (caf::meta::is_annotation<T>::value) {
      return caf::none;
    } else if constexpr (std::is_same_v<T, bool>) {
      x = !x;
    } else if constexpr (std::is_enum_v<T>) {
      x = static_cast<T>(1);
    } else if constexpr (std::is_arithmetic_v<T>) {
      x = static_cast<T>(++count_ * 1'000'000'007ULL);
    } else if constexpr (std::is_same_v<T, std::string>) {
      x = "text " + std::to_string(++count_) + std::string(1, '\0') + "\xff";
    } else if constexpr (requires { T::has_weak_ptr_semantics; }) {
      x = caf::actor_cast<T>(handle_);
    } else if constexpr (requires { typename T::mapped_type; }) {
      std::pair<typename T::key_type, typename T::mapped_type> entry;
      fill(entry.first);
      fill(entry.second);
      x.insert(entry);
    } else if constexpr (requires { x.push_back(x.front()); }) {
      typename T::value_type item{};
      auto why = fill(item);
      x.push_back(item);
      x.push_back(item);
      return why;
    } else {
      return inspect(*this, x);
    }
    return caf::none;
  }

  caf::actor handle_;
  unsigned count_ = 0;
};

std::vector<char> bytes_of(caf::actor_system& system, caf::message& message) {
  std::vector<char> result;
  caf::binary_serializer sink{system, result};
  auto why = sink(message);
  CHECK(system.render(why) == "none");
  return result;
}

template <class T>
void cross(caf::actor_system& system, const caf::actor& handle) {
  INFO(caf::type_name<T>::value);
  T value{};
  filler fill{handle};
  CHECK_FALSE(fill(value));
  auto sent = caf::make_message(value);
  auto bytes = bytes_of(system, sent);
  caf::message got;
  caf::binary_deserializer source{system, bytes};
  auto why = source(got);
  CHECK(system.render(why) == "none");
  REQUIRE(got.match_elements<T>());
  CHECK(bytes_of(system, got) == bytes);
  CHECK(caf::deep_to_string(got.get_as<T>(0)) == caf::deep_to_string(value));
}

template <std::size_t... Is>
int cross_all(caf::actor_system& system, const caf::actor& handle,
              std::index_sequence<Is...>) {
  constexpr auto first = caf::id_block::greenroom::begin;
  (cross<typename caf::type_by_id<first + Is>::type>(system, handle), ...);
  return sizeof...(Is);
}

} // namespace

TEST_CASE("every message is on the other side what it was on this") {
  all_messages settings;
  caf::actor_system system{settings};
  // One without an argument would trip over an assertion of libstdc++'s.
  auto handle =
    system.spawn([](caf::event_based_actor*,
                    int) -> caf::behavior { return {[](const done&) {}}; },
                 0);
  constexpr auto count =
    caf::id_block::greenroom::end - caf::id_block::greenroom::begin;
  auto crossed = cross_all(system, handle, std::make_index_sequence<count>{});
  CHECK(crossed > 150);
  caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
}

} // namespace greenroom::test
