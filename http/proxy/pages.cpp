#include "http/proxy/pages.hpp"

namespace greenroom::http::proxy {

namespace {

std::string escaped(std::string_view text) {
  std::string result;
  for (auto c : text)
    switch (c) {
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '&':
        result += "&amp;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  return result;
}

} // namespace

bool is_navigation(const wire::message_head& request) {
  if (request.method != "GET" && request.method != "HEAD")
    return false;
  auto mode = request.headers.get("Sec-Fetch-Mode");
  if (!mode.empty())
    return mode == "navigate";
  return request.headers.get("Accept").find("text/html")
         != std::string_view::npos;
}

page make_page(int status, std::string_view title, std::string_view text,
               bool to_person, bool again) {
  page result;
  auto& head = result.head;
  head.status = status;
  head.headers.add("Cache-Control", "no-store");
  head.headers.add("X-Content-Type-Options", "nosniff");
  if (again)
    head.headers.add("Retry-After", "1");
  if (!to_person)
    return result;
  head.headers.add("Content-Type", "text/html; charset=utf-8");
  head.headers.add("Content-Security-Policy",
                   "default-src 'none'; style-src 'unsafe-inline'");
  auto& body = result.body;
  body = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">";
  if (again)
    body += "<meta http-equiv=\"refresh\" content=\"1\">";
  body += "<title>" + escaped(title)
          + "</title><style>body{font:16px/1.5 system-ui,sans-serif;"
            "max-width:40em;margin:15vh auto;padding:0 1em;color:#222;"
            "background:#fafafa}@media(prefers-color-scheme:dark){body{"
            "color:#ddd;background:#181818}}</style></head><body><h1>"
          + escaped(title) + "</h1><p>" + escaped(text)
          + "</p></body></html>\n";
  return result;
}

} // namespace greenroom::http::proxy
