import Scheduling
import Threads

/// What the machine lets us have, where that is little.
enum Machine {
  /// Files, pipes and sockets of our own: outputs, the network thread's, the simulator's, a file that is read and one that is written,
  /// looking a name up.
  private static let ownFiles = 24
  /// Where so few may be open, those that we were started with are counted.
  private static let few = 1024

  /// How many streams fit into the files that we may open; nil for no limit.
  ///
  /// - Parameter simulated: whether the server is in this program as well, and has a socket for each too.
  static func mostStreams(simulated: Bool) -> Int? {
    guard let limit = OpenFiles.limit else { return nil }
    let free = limit > few ? limit : OpenFiles.free(atMost: limit)
    return max(1, (free - ownFiles) / (simulated ? 2 : 1))
  }

  /// The most threads that a program with one of everything has: of tasks 3, of signals 1, of outputs 2, of the network 1, of the simulator
  /// 1, of keys or the editor 1, of a file that is written 1. libdispatch sleeps for ever where it gets none.
  static let threads = 10

  /// Whether memory or threads are rationed, so that there may be too few.
  static var isLimited: Bool {
    func isBelow(_ most: UInt64, _ limit: SystemLimit) -> Bool { limit.value.map { $0 < most } ?? false }
    return isBelow(1 << 40, .memory) || isBelow(1024, .processes)
  }

  /// Signals, and what tasks run on: libdispatch keeps no time where it gets none for its timers.
  static let fewestFiles = 6

  /// Below so many the first timer is not left for when they may be used up.
  static let manyFiles: UInt64 = 128

  /// What libraries that are loaded later take, in bytes of addresses.
  static let libraries = 32 << 20

  static var reason: String { "what fits into \(OpenFiles.limit.map(String.init) ?? "the") open files (`ulimit -n`)" }
}

/// Tells the limiter, which is made later than the transport, that there was no descriptor for a stream more.
final class Crowd: Sendable {
  let limiter = Mutex<Limiter?>(nil)

  func tell(_ streams: Int) {
    let limiter = limiter.withLock { $0 }
    // Not on the network thread: it resumes whoever waits.
    Task { limiter?.lowerStreams(to: streams, reason: Machine.reason) }
  }
}
