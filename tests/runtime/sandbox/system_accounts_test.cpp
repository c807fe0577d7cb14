#include "runtime/sandbox/system_accounts.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace greenroom;

namespace {

const std::string own_users =
  "root:x:0:0:root:/root:/usr/sbin/nologin\n"
  "greenroom:x:1000:1000:session:/home/greenroom:/bin/bash\n"
  "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n";
const std::string own_groups = "root:x:0:\ngreenroom:x:1000:\n"
                               "nogroup:x:65534:\n";

} // namespace

TEST_CASE("sessions know the users of the host's system, and no person") {
  CHECK(sandbox::passwd_inside("") == own_users);
  CHECK(sandbox::passwd_inside(
          "root:x:0:0:Ada Smith:/root:/bin/bash\n"
          "ada-root:x:0:0::/root:/bin/bash\n"
          "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
          "www-data:$6$salt$hash:33:33:of Ada:/var/www:/usr/sbin/nologin\n"
          "ci:x:999:1003:Continuous:/home/ada/ci:/bin/sh\n"
          "ada:x:1000:1000:Ada Smith,,,:/home/ada:/bin/bash\n"
          "bob:x:60000:60000::/home/bob:/bin/bash\n"
          "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
          "nfsnobody:x:65534:65534::/var/lib/nfs:/sbin/nologin\n"
          "top:x:4294967295:0::/:/bin/sh")
        == own_users
             + "daemon:x:1:1::/usr/sbin:/usr/sbin/nologin\n"
               "www-data:x:33:33::/var/www:/usr/sbin/nologin\n"
               "ci:x:999:1003::/nonexistent:/bin/sh\n"
               "nfsnobody:x:65534:65534::/var/lib/nfs:/sbin/nologin\n");
}

TEST_CASE("no user of the host is taken for a session's own") {
  CHECK(
    sandbox::passwd_inside("greenroom:x:998:998::/var/lib/greenroom:/bin/sh\n"
                           "mail:x:8:8::/var/mail:/usr/sbin/nologin\n"
                           "mail:x:9:9::/var/mail:/usr/sbin/nologin\n")
    == own_users + "mail:x:8:8::/var/mail:/usr/sbin/nologin\n");
  CHECK(sandbox::group_inside("greenroom:x:998:\nnogroup:x:65534:\n")
        == own_groups);
}

TEST_CASE("what is no account of a user's file is left out") {
  for (const std::string line :
       {"+::::::", "+@staff:x:7:7::/:/bin/sh", "-ada:x:8:8::/:/bin/sh",
        "#old:x:9:9::/:/bin/sh", "a b:x:9:9::/:/bin/sh", "short:x:9:9::/",
        "word:x:nine:9::/:/bin/sh", "x:x: 9:9::/:/bin/sh", "x:x:9:::/:/bin/sh",
        ":x:9:9::/:/bin/sh", "x:x:-9:9::/:/bin/sh"}) {
    INFO(line);
    CHECK(sandbox::passwd_inside(line + '\n') == own_users);
  }
  CHECK(sandbox::group_inside("+:::\n:x:5:\nshort:x:5\nword:x:five:\n")
        == own_groups);
}

TEST_CASE("groups of the host's system have no members in a session") {
  CHECK(sandbox::group_inside("root:x:0:ada\n"
                              "wheel:x:0:ada\n"
                              "sudo:x:27:ada,bob\n"
                              "www-data:!:33:\n"
                              "ada:x:1000:\n"
                              "nogroup:x:65534:\n"
                              "nobody:x:65534:\n"
                              "users:x:100:ada")
        == own_groups
             + "sudo:x:27:\nwww-data:x:33:\nnobody:x:65534:\nusers:x:100:\n");
}
