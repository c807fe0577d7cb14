#include "bench/support/nginx.hpp"

#include "bench/support/http.hpp"

#include <poll.h>

#include <chrono>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace greenroom::bench {

namespace {

// Without a master the one process serves.
std::string settings(std::uint16_t port, std::uint16_t app) {
  return "daemon off;\nmaster_process off;\npid nginx.pid;\n"
         "error_log error.log;\nworker_rlimit_nofile 16384;\n"
         "events { worker_connections 8192; }\n"
         "http {\n"
         "  access_log access.log;\n"
         "  client_body_temp_path body;\n  proxy_temp_path proxy;\n"
         "  fastcgi_temp_path f;\n  uwsgi_temp_path u;\n  scgi_temp_path s;\n"
         "  keepalive_requests 1000000;\n"
         "  upstream app { server 127.0.0.1:"
         + std::to_string(app)
         + "; keepalive 64; keepalive_requests 1000000; }\n"
           "  map $http_upgrade $connection_of { default upgrade; '' ''; }\n"
           "  server {\n    listen 127.0.0.1:"
         + std::to_string(port)
         + " backlog=4096;\n    client_max_body_size 0;\n"
           "    location / {\n"
           "      proxy_pass http://app;\n      proxy_http_version 1.1;\n"
           "      proxy_set_header Upgrade $http_upgrade;\n"
           "      proxy_set_header Connection $connection_of;\n"
           "      proxy_set_header X-Forwarded-For $remote_addr;\n"
           "      proxy_set_header X-Forwarded-Host $http_host;\n"
           "      proxy_set_header X-Forwarded-Proto $scheme;\n"
           "      proxy_request_buffering off;\n"
           "      proxy_max_temp_file_size 0;\n"
           "      proxy_read_timeout 1h;\n"
           "    }\n  }\n}\n";
}

} // namespace

nginx::nginx(const std::filesystem::path& dir, std::uint16_t app)
  : port_(free_port()) {
  auto place = dir / "nginx";
  std::filesystem::create_directories(place);
  std::ofstream{place / "nginx.conf"} << settings(port_, app);
  process_ = std::make_unique<child>(
    std::vector<std::string>{installed("nginx"), "-p", place.string() + '/',
                             "-c", (place / "nginx.conf").string()},
    dir / "nginx.log");
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (process_->running() && std::chrono::steady_clock::now() < end)
    try {
      connect_to(port_);
      return;
    } catch (const std::system_error&) {
      ::poll(nullptr, 0, 10); // it does not listen yet
    }
  throw std::runtime_error("nginx does not come up: see " + dir.string());
}

} // namespace greenroom::bench
