import JSON

/// What goes through a control socket: one JSON object a line, in both directions.
///
/// To the session: `{"run": "set concurrency 20", "why": "night tariff", "columns": 80}` runs one line (`columns` is the width of the
/// terminal it is shown on; without it tables are tab-separated), `{"status": true}` asks for the document that `jobs --json` gives,
/// `{"watch": true}` for that document again and again until `{"watch": false}`.
public enum ControlRequest: Sendable, Equatable {
  case run(line: String, why: String?, columns: Int?)
  case status
  case watch(Bool)

  /// Nil where it is none of them.
  public init?(parsing line: some Sequence<UInt8>) {
    guard let document = try? JSONValue(parsing: line) else { return nil }
    if case .string(let text)? = document["run"] {
      var columns: Int?
      if case .int(let width)? = document["columns"], (1...10_000).contains(width) { columns = width }
      self = .run(line: text, why: document["why"]?.string, columns: columns)
    } else if case .bool(let isOn)? = document["watch"] {
      self = .watch(isOn)
    } else if case .bool(true)? = document["status"] {
      self = .status
    } else {
      return nil
    }
  }

  public var json: JSONValue {
    switch self {
    case .run(let line, let why, let columns):
      var members: [(key: String, value: JSONValue)] = [("run", .string(line))]
      if let why { members.append(("why", .string(why))) }
      if let columns { members.append(("columns", .int(columns))) }
      return .object(members)
    case .status: return .object([("status", .bool(true))])
    case .watch(let isOn): return .object([("watch", .bool(isOn))])
    }
  }
}

/// What a session answers: `{"out": …}` values and `{"note": …}` messages of a line that runs, `{"end": status}` when it is over,
/// `{"status": document}`, `{"refused": why}` before it closes the connection, and `{"closed": why}` before it closes them all. A
/// connection that ends without a word is one whose session was killed.
public enum ControlMessage: Sendable, Equatable {
  /// What would go to standard output.
  case out(String)
  /// What would go to standard error.
  case note(String)
  /// A line is over, with the exit status it would give a script.
  case end(Int)
  case status(JSONValue)
  case refused(String)
  /// Nobody is let in any more: the session has ended, say.
  case closed(String)

  public init?(parsing line: some Sequence<UInt8>) {
    guard let document = try? JSONValue(parsing: line) else { return nil }
    if let text = document["out"]?.string {
      self = .out(text)
    } else if let text = document["note"]?.string {
      self = .note(text)
    } else if case .int(let status)? = document["end"] {
      self = .end(status)
    } else if let document = document["status"] {
      self = .status(document)
    } else if let why = document["refused"]?.string {
      self = .refused(why)
    } else if let why = document["closed"]?.string {
      self = .closed(why)
    } else {
      return nil
    }
  }

  public var json: JSONValue {
    switch self {
    case .out(let text): .object([("out", .string(text))])
    case .note(let text): .object([("note", .string(text))])
    case .end(let status): .object([("end", .int(status))])
    case .status(let document): .object([("status", document)])
    case .refused(let why): .object([("refused", .string(why))])
    case .closed(let why): .object([("closed", .string(why))])
    }
  }
}

extension JSONValue {
  /// One line of the wire, its line end included.
  var line: [UInt8] {
    var bytes: [UInt8] = []
    write(to: &bytes)
    bytes.append(0x0A)
    return bytes
  }
}
