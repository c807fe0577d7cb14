// What a benchmark says: a table for people, JSON for scripts.
//
// Machines are noisy, so a number means little alone. A subject is measured in
// the same run as its baseline, in rounds that take turns; what counts is the
// median of the rounds' ratios, with their spread.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace greenroom::bench {

double median(std::vector<double> values);

struct comparison {
  std::string what; // a row's name
  std::string unit; // of both numbers
  std::string aim;  // for the ratio of subject to baseline; may be empty
  std::vector<double> baseline; // one number a round
  std::vector<double> subject;  // as many

  std::vector<double> ratios() const;
};

struct report {
  std::string name;
  std::string question;
  std::string baseline; // what it is
  std::string subject;
  std::vector<comparison> rows;
  std::vector<std::string> notes;
};

/// The whole of a benchmark's main(). It knows --json and --help. Exit code 0
/// whatever the numbers are, 1 if they could not be had, 2 for bad usage.
/// `more` is what the usage says of arguments that main() has taken itself.
int run(int argc, char** argv, const std::function<report()>& measure,
        const char* more = "");

} // namespace greenroom::bench
