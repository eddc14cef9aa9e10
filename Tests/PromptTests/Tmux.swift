import TestSupport
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A tmux server of its own with one pane, driven by one client in control mode: commands go in as lines, and it tells of all that the
/// pane's program writes. The server ends with its client, and so with us, however we end.
final class Tmux: Sendable {
  private struct State {
    /// The pane is there: a command that is read earlier would find none.
    var isReady = false
    /// What has been told of.
    var events = 0
    /// All that the program has written since that was asked for.
    var written: [UInt8]?
    var sent = 0
    var answered = 0
    var answers: [Int: String] = [:]
    /// What was said outside of answers; of interest when it does not start.
    var said: [String] = []
    var isOver = false
  }

  private let input: Int32
  private let state = Monitor(State())

  /// - Parameters:
  ///   - folder: its socket and settings go there.
  ///   - command: for the shell; the pane keeps its screen when it ends.
  init(_ command: String, columns: Int, rows: Int, folder: Scratch) throws {
    try folder.write(
      "tmux.conf", "set -g remain-on-exit on\nset -g destroy-unattached on\nset -g default-shell /bin/sh\n")
    let (commands, output) = (try Spawn.pipe(), try Spawn.pipe())
    var environment = Spawn.inherited
    environment["TMUX"] = nil
    let client = try Spawn.start(
      "/usr/bin/env",
      [
        "tmux", "-f", "\(folder.path)/tmux.conf", "-S", "\(folder.path)/tmux", "-u", "-C", "new-session", "-x", "\(columns)", "-y",
        "\(rows)",
        command,
      ], environment: environment, descriptors: [.descriptor(commands.read), .descriptor(output.write), .descriptor(output.write)])
    close(commands.read)
    close(output.write)
    input = commands.write
    startThread { [state] in
      Self.read(output.read, state)
      close(output.read)
      _ = Spawn.end(of: client, seconds: Patience.seconds)
      // Until now the folder is its own.
      withExtendedLifetime(folder) { state.change { $0.isOver = true } }
    }
  }

  /// The client's end is the server's.
  deinit { close(input) }

  /// What it said before it ended, or outside of answers.
  var said: String { state.look { $0.said.joined(separator: "\n") } }

  var isOver: Bool { state.look { $0.isOver } }

  // MARK: commands

  /// Runs a command of tmux's; returns what it printed, without its last line end. Empty where tmux has ended.
  @discardableResult
  func run(_ command: String) async -> String {
    await onOwnThread { [state, input] in
      state.wait(milliseconds: Patience.milliseconds) { $0.isReady || $0.isOver }
      // Sent under the lock: answers come in the order of the commands.
      let number = state.look { state in
        state.sent += 1
        let line = Array((command + "\n").utf8)
        var offset = 0
        while offset < line.count {
          let count = line.withUnsafeBytes { write(input, $0.baseAddress! + offset, line.count - offset) }
          if count <= 0 { break }
          offset += count
        }
        return state.sent
      }
      var answer: String?
      state.wait(milliseconds: Patience.milliseconds) { state in
        answer = state.answers.removeValue(forKey: number)
        return answer != nil || state.isOver
      }
      return answer ?? ""
    } ?? ""
  }

  // MARK: events

  var events: Int { state.look { $0.events } }

  /// Returns when something has been told of since; or after a moment, for not all that changes a screen is told of.
  func event(after number: Int) async {
    _ = await onOwnThread { [state] in state.wait(milliseconds: 200) { $0.events != number || $0.isOver } }
  }

  /// Keeps what the program writes from now on.
  func record() { state.change { $0.written = $0.written ?? [] } }

  /// What was kept, once it holds a text; nil where it never does.
  func written(with text: String) async -> [UInt8]? {
    await onOwnThread { [state] in
      var found: [UInt8]?
      state.wait(milliseconds: Patience.milliseconds) { state in
        if let written = state.written, written.contains(Array(text.utf8)) { found = written }
        return found != nil || state.isOver
      }
      return found
    } ?? nil
  }

  // MARK: what it says

  private static func read(_ descriptor: Int32, _ state: Monitor<State>) {
    var (rest, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 65_536))
    /// The answer that is being told: its mark, and its lines.
    var answer: (mark: [UInt8], lines: [String])?
    while case let count = systemRead(descriptor, &buffer), count > 0 {
      rest += buffer[..<count]
      var start = 0
      while let end = rest[start...].firstIndex(of: 0x0A) {
        let line = rest[start..<end]
        start = end + 1
        if let open = answer {
          if ends(line, open.mark) {
            answer = nil
            // Of the command that it was started with nobody waits for the answer.
            guard line.last == UInt8(ascii: "1") else {
              state.change { state in
                state.isReady = true
                state.said += open.lines
              }
              continue
            }
            state.change { state in
              state.answered += 1
              state.answers[state.answered] = open.lines.joined(separator: "\n")
            }
          } else {
            answer?.lines.append(String(decoding: line, as: UTF8.self))
          }
        } else if line.starts(with: Array("%begin ".utf8)) {
          answer = (Array(line.dropFirst(7)), [])
        } else if line.starts(with: Array("%output ".utf8)) {
          state.change { state in
            state.events += 1
            state.written? += unescaped(line.dropFirst(8).drop { $0 != 0x20 }.dropFirst())
          }
        } else {
          state.change { state in
            state.events += 1
            if line.first != UInt8(ascii: "%") { state.said.append(String(decoding: line, as: UTF8.self)) }
          }
        }
      }
      rest.removeFirst(start)
    }
  }

  private static func ends(_ line: ArraySlice<UInt8>, _ mark: [UInt8]) -> Bool {
    for word in ["%end ", "%error "] where line.starts(with: Array(word.utf8)) {
      return line.dropFirst(word.utf8.count).elementsEqual(mark)
    }
    return false
  }

  /// Control characters and backslashes come as three octal digits.
  private static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var (bytes, rest) = ([UInt8](), text)
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\"), rest.count >= 3 else {
        bytes.append(byte)
        continue
      }
      bytes.append(rest.prefix(3).reduce(0) { $0 << 3 | ($1 & 7) })
      rest = rest.dropFirst(3)
    }
    return bytes
  }
}

private func systemRead(_ descriptor: Int32, _ buffer: inout [UInt8]) -> Int {
  #if canImport(Glibc)
    Glibc.read(descriptor, &buffer, buffer.count)
  #else
    Darwin.read(descriptor, &buffer, buffer.count)
  #endif
}
