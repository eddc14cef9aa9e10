import Control
import JSON
import Names
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `promptsh attach`: steers a session of this user's from another process.
enum Attach {
  /// A session that listens.
  struct Found {
    var name: String
    var path: String
  }

  struct Problem: Error {
    var message: String
    var help: String?
  }

  /// - Parameters:
  ///   - target: a process's number, or the path of a socket; nil for the one session there is.
  ///   - lines: run one after the other; none for the screen (or the lines of standard input, where that is no terminal).
  ///   - why: kept with what they change.
  static func run(_ target: String?, lines: [String], why: String?) -> Int32 {
    do throws(Problem) {
      guard let found = try find(target, forLines: !lines.isEmpty) else { return list(try sessions()) }
      let client = try connect(found)
      let runner = AttachedLines(client, name: found.name, why: why)
      if !lines.isEmpty { return runner.run(lines) }
      if !Descriptor.isTerminal(0) { return try runner.run(standardInput()) }
      guard Descriptor.isTerminal(2), let screen = AttachScreen(client, found.name, why: why) else {
        throw Problem(message: "this terminal cannot be drawn on", help: "`promptsh attach \(found.name) -e LINE` runs one line")
      }
      return screen.run()
    } catch {
      return Shell.misused(error.message.oneLine + (error.help.map { "\n  = \($0.oneLine)" } ?? ""))
    }
  }

  /// - Returns: nil where there are several to choose from.
  private static func find(_ target: String?, forLines: Bool) throws(Problem) -> Found? {
    if let target {
      if target.contains("/") { return Found(name: target, path: target) }
      guard let process = Int32(target), process > 0 else {
        throw Problem(
          message: "`\(target)` is neither the number of a process nor the path of a socket", help: "`promptsh attach` lists them")
      }
      if let found = try sessions().first(where: { $0.name == target }) { return found }
      throw Problem(
        message: "no session of yours listens as \(process)",
        help: "`promptsh attach` lists those that do; a session listens from its first job on, unless `control` is off")
    }
    let sessions = try sessions()
    guard let first = sessions.first else {
      throw Problem(
        message: "no session of yours listens", help: "one does while it has jobs (`map`, `each`, `&`), unless `control` is off")
    }
    if sessions.count == 1 { return first }
    if forLines {
      throw Problem(
        message: "\(sessions.count) sessions listen", help: "`promptsh attach PID -e LINE`: \(sessions.map(\.name).joined(separator: ", "))"
      )
    }
    return nil
  }

  private static func sessions() throws(Problem) -> [Found] {
    var found: [Found] = []
    var problem: ControlProblem?
    for folder in UserFolders.control {
      do throws(ControlProblem) {
        found += try folder.processes().map { Found(name: "\($0)", path: folder.socket(of: $0)) }
      } catch { problem = problem ?? error }
    }
    if found.isEmpty, let problem { throw Problem(message: "\(problem)") }
    return found
  }

  static func connect(_ found: Found) throws(Problem) -> ControlClient {
    do throws(ControlProblem) { return try ControlClient(path: found.path) } catch { throw Problem(message: "\(error)") }
  }

  private static func standardInput() throws(Problem) -> [String] {
    switch Shell.read("-") {
    case .failure(let misuse): throw Problem(message: misuse.description)
    case .success(let text): return text.split(whereSeparator: \.isNewline).map(String.init).filter { !$0.allSatisfy(\.isWhitespace) }
    }
  }

  // MARK: the list

  /// What each session does, as a table.
  private static func list(_ sessions: [Found]) -> Int32 {
    let titles = ["pid", "script", "started", "jobs", "done", "in flight"]
    var rows: [[String]] = []
    for found in sessions {
      guard let document = (try? connect(found)).flatMap(status) else {
        rows.append([found.name, "does not answer", "", "", "", ""])
        continue
      }
      let status = SessionStatus(document)
      rows.append([
        found.name, status.script, status.started, "\(status.running.count)", status.done,
        "\(status.running.reduce(0) { $0 + $1.line.inFlight })",
      ])
    }
    let columns = titles.map { Table.Column($0, isNumber: !["script", "started"].contains($0)) }
    let table = Table(columns: columns, rows: rows)
    let lines = Descriptor.isTerminal(1) ? table.lines(width: Descriptor.size(1)?.columns) : table.tabSeparated
    let status = Shell.told(lines.joined(separator: "\n"))
    if Descriptor.isTerminal(1) { try? Descriptor.say("`promptsh attach PID` attaches to one\n", to: 2, named: "standard error") }
    return status
  }

  private static func status(_ client: ControlClient) -> JSONValue? {
    var document: JSONValue?
    client.send(.status)
    _ = client.read(within: 2) { message in
      if case .status(let received) = message { document = received }
      return document == nil
    }
    return document
  }
}
