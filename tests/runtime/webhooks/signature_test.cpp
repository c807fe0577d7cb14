#include "runtime/webhooks/signature.hpp"

#include "runtime/base/json_text.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace greenroom;

TEST_CASE("a signature is that of the specification") {
  // The example of the specification's own libraries.
  CHECK(webhook_signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                          "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                          R"({"test": 2432232314})")
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST_CASE("secrets are long, and no two are alike") {
  auto one = make_webhook_secret();
  auto other = make_webhook_secret();
  CHECK(one.starts_with("whsec_"));
  CHECK(one.size() == 6 + 32);
  CHECK(one != other);
  CHECK(webhook_signature(one, "a", 1, "b")
        != webhook_signature(other, "a", 1, "b"));
  // What is signed cannot be cut elsewhere.
  CHECK(webhook_signature(one, "a", 1, "b")
        != webhook_signature(one, "a.1", 1, "b"));
}

TEST_CASE("a secret may be another's: 24 to 64 bytes in base64") {
  // What Python's hmac makes of the same bytes.
  CHECK(
    webhook_signature("whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ==", "a", 1, "b")
    == "v1,R0H/LFGF3nXuhjO0feerHqbbWRWXUshY8jfUKp2LHDU=");
  auto of_bytes = [](std::size_t count) {
    std::string text = "whsec_";
    append_base64(text, std::string(count, 'A'));
    return text;
  };
  for (std::size_t count = 0; count < 70; ++count) {
    INFO(count);
    CHECK(is_webhook_secret(of_bytes(count)) == (count >= 24 && count <= 64));
  }
}

TEST_CASE("what is no secret signs nothing, and is not shown") {
  for (auto bad : {"", "whsec_", "whsec_short", "hidden-thing",
                   "whsec_????????????????????????????????",
                   "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
                   "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw====",
                   "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=a==",
                   " whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}) {
    INFO(bad);
    CHECK_FALSE(is_webhook_secret(bad));
    CHECK_THROWS_WITH(webhook_signature(bad, "a", 1, "b"),
                      "a webhook's secret is not whsec_ and a key in base64");
  }
}
