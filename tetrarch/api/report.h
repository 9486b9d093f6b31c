// What a run or a plan has to tell, as data. Every figure says where it comes from.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "tetrarch/api/export.h"

namespace tetrarch {

struct Figure {
  double value = std::numeric_limits<double>::quiet_NaN();  // NaN: unknown
  std::string unit;                                         // "s", "B", "B/s", "W", "J", "1"
  std::string source;                                       // "measured", "simulated" or "modelled"
};

// A processor that this machine offers.
struct DeviceInfo {
  std::string name;                  // "cpu", "opencl:0": what options and commands take
  std::string device_class;          // "cpu", "gpu", "fpga", "asic", "other"
  std::string kind;                  // "real" or "simulated"
  std::string description;           // for people
  std::string driver;                // version of what drives it, may be empty
  std::string features;              // space-separated
  std::string shares;                // devices with the same non-empty key use the same silicon
  std::vector<std::string> formats;  // of code that it loads
  uint32_t compute_units = 0;
  Figure memory, bandwidth_in, bandwidth_out, idle_power, busy_power;
};

// One device's part of one task.
struct TaskPart {
  std::string device;
  double share = 1;  // of the task's work, 0 to 1
  Figure time;       // of the last run, or predicted when nothing has run
  // Of the processor's multipliers, the share that does what the task asks for while it runs, 0 to 1; unknown
  // of most devices.
  Figure utilisation;
  // What the device counted in the last run, by its names; empty when it counts nothing. The NPU's
  // "rtl_windows" and "rtl_cycles" are what was computed again in its RTL and found equal.
  std::map<std::string, uint64_t> counters = {};
};

struct TaskReport {
  std::string name, root;       // root: the operation at the task's heart, as "convolution"
  std::vector<TaskPart> parts;  // several when devices divide the task
  Figure time;                  // from its first part's start to its last one's end
  Figure bytes;                 // read and written
  // The code that the task is part of, together with its neighbours; empty when it is launched alone. Its
  // time is then its share of the segment's, as the code generator models it, and what the device counted
  // stands with the segment's first task.
  std::string segment;
  Figure error;        // of a quantised result, relative to the float model's; unknown of others
  std::string reason;  // why it sits where it sits
};

struct SinglePrice {
  std::string device;
  Figure time;         // of the whole model on that device alone; unknown when it cannot run it
  std::string reason;  // then: why not
};

// What the silicon of one device took during the last call, all that ran on it included.
struct DeviceEnergy {
  std::string device;
  Figure energy;
};

struct Report {
  std::string model;                // name of the artifact or model file
  std::vector<DeviceInfo> devices;  // in use
  std::vector<TaskReport> tasks;    // in launch order
  Figure time;                      // of the last call, from its start to its end; unknown before the first
  Figure copied;                    // bytes between devices and host, and of the caller's tensors
  Figure predicted,
      lower_bound;  // of the plan; no placement can be faster than the bound, by the plan's model
  std::vector<SinglePrice> singles;
  std::string plan, reason;            // the plan's name and a sentence on the whole
  uint64_t memory_bytes = 0;           // for tensors between tasks, all devices together
  std::vector<DeviceEnergy> energies;  // of the devices that have a meter; none before the first call

  // The object that docs/report.schema.json calls `report`.
  TETRARCH_EXPORT std::string toJson() const;
};

}  // namespace tetrarch
