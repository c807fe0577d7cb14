#include "bench/support/node.hpp"
#include "bench/support/report.hpp"
#include "bench/support/watchers.hpp"
#include <nlohmann/json.hpp>
#include <sys/resource.h>
using namespace greenroom::bench;
struct usage { double self, other; };
int main(int, char** argv) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::string lines = argv[1], rate = argv[2];
  const std::size_t count = 500;
  auto self = [] { rusage u{}; ::getrusage(RUSAGE_SELF, &u); return double(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + double(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6; };
  auto show = [](const char* who, const delivery& d, double me, double it) {
    std::printf("%s %.2fs %.0f events/s %.0f lines/s %.1f MB/s  %.1f lines/event cpu client %.2f it %.2f\n", who, d.seconds, double(d.events) / d.seconds, double(d.lines) / d.seconds, double(d.bytes) / d.seconds / 1e6, double(d.lines)/double(d.events), me, it);
  };
  node server{{argv[3], 2}};
  auto session = server.make_session();
  for (int i = 0; i < 3; ++i) {
    {
      child b{{program("bench_broadcaster"), std::to_string(count), program("bench_printer"), lines, rate}};
      watchers all{std::uint16_t(std::stoi(b.first_line())), count, request_text("GET", "/", {})};
      auto s = self();
      auto d = all.until_exit();
      show("bare ", d, self() - s, cpu_seconds(b.pid()));
    }
    {
      watchers all{server.port(), count, server.request("GET", session + "/events")};
      auto s = self();
      auto c = cpu_seconds(server.pid());
      auto a = connection{server.port()}.ask(server.request("POST", session + "/exec", nlohmann::json{{"argv", {program("bench_printer"), lines, rate}}}.dump()));
      if (a.status != 202) std::printf("%s\n", a.body.c_str());
      auto d = all.until_exit();
      show("green", d, self() - s, cpu_seconds(server.pid()) - c);
    }
  }
}
