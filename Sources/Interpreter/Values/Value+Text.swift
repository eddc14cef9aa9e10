import Chat
import JSON
import Names

extension Value {
  /// The value as the language would print it: a text as it stands, anything else on one line.
  public var text: String {
    switch self {
    case .text(let text): text
    case .reply(let row): row.reply.succeeded ? row.reply.text : "nothing"
    case .duration(let duration): duration.short
    case .range(let low, let high): "\(low)..\(high)"
    case .job(let handle): handle.job.number.map { "job \($0) (\(handle.job.name))" } ?? "job \(handle.job.name)"
    case .prompt(let prompt): "prompt \(prompt.name)(\(prompt.definition.parameters.map(\.name.text).joined(separator: ", ")))"
    case .function(let function): "def \(function.name)(\(function.definition.parameters.map(\.name.text).joined(separator: ", ")))"
    case .nothing: "nothing"
    case .bool(let flag): flag ? "true" : "false"
    case .int(let whole): String(whole)
    case .number(let number): number.shortest
    case .exact(let number): number.text
    case .list, .record: nestedText
    }
  }

  private var nestedText: String {
    var out = ""
    write(to: &out)
    return out
  }

  /// As it stands in a list or record. One small frame a level: values nest deep, and threads have little stack.
  private func write(to out: inout String) {
    if case .list(let list) = self { return Self.write(list.values, to: &out) }
    if case .record(let record) = self { return Self.write(record.fields, to: &out) }
    out += quoted
  }

  private static func write(_ values: [Value], to out: inout String) {
    out += "["
    for index in values.indices {
      if index > 0 { out += ", " }
      values[index].write(to: &out)
    }
    out += "]"
  }

  private static func write(_ fields: [(name: String, value: Value)], to out: inout String) {
    out += "{"
    for index in fields.indices {
      let name = fields[index].name.oneLine
      out += index > 0 ? ", \(name): " : "\(name): "
      fields[index].value.write(to: &out)
    }
    out += "}"
  }

  /// As a cell of a table shows it: the one place where numbers are rounded.
  public var cell: String {
    switch self {
    case .number(let number): number.short
    case .exact(let number): number.isLarge ? number.text : number.value.short
    default: text
    }
  }

  /// As it fills a hole: a record, or a list that holds one, is JSON, as models expect it.
  var filling: String { holdsRecord ? json.text : text }

  private var holdsRecord: Bool {
    switch self {
    case .record: true
    case .list(let elements): elements.contains(where: \.holdsRecord)
    default: false
    }
  }

  /// As it would be written in a script.
  public var quoted: String {
    switch self {
    case .text(let text): "\"" + text.escaped + "\""
    case .reply(let row): row.reply.succeeded ? "\"" + row.reply.text.escaped + "\"" : text
    default: text
    }
  }

  /// A few words of it, for diagnostics.
  public var preview: String {
    let text = quoted
    return text.count > 40 ? text.prefix(38) + "…" : text
  }
}

extension String {
  fileprivate var escaped: String {
    reduce(into: "") { out, character in
      switch character {
      case "\n", "\r\n": out += "\\n"
      case "\t": out += "\\t"
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      default: out.append(character)
      }
    }
  }
}

extension Double {
  /// For tables and messages: without a fraction where it is whole, else at most six digits after the point.
  public var short: String {
    if self == rounded(), magnitude < 1e15 { return String(Int(self)) }
    guard isFinite, magnitude < 1e15, magnitude > 1e-4 else { return String(self) }
    return fixed(6, trimming: true)
  }

  /// With `digits` after the point; `trimming` takes zeros off the end.
  public func fixed(_ digits: Int, trimming: Bool = false) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    guard isFinite, magnitude * scale < 9e18 else { return String(self) }
    let scaled = Int((magnitude * scale).rounded())
    var fraction = digits == 0 ? "" : String(scaled % Int(scale))
    fraction = String(repeating: "0", count: max(0, digits - fraction.count)) + fraction
    if trimming { while fraction.hasSuffix("0") { fraction.removeLast() } }
    let sign = self < 0 && scaled != 0 ? "-" : ""
    return sign + String(scaled / Int(scale)) + (fraction.isEmpty ? "" : "." + fraction)
  }
}

extension Duration {
  public var seconds: Double { self / .seconds(1) }

  /// `350ms`, `1.9s`, `2m05s`, `3h20m`.
  public var short: String {
    let value = seconds
    if value < 0 { return "-" + (.zero - self).short }
    if value < 0.0995 { return (value * 1000).fixed(value < 0.00995 ? 1 : 0, trimming: true) + "ms" }
    if value < 0.9995 { return (value * 1000).fixed(0) + "ms" }
    if value < 59.95 { return value.fixed(1) + "s" }
    let whole = Int(value.rounded())
    if whole < 3600 { return "\(whole / 60)m\(whole % 60 < 10 ? "0" : "")\(whole % 60)s" }
    return "\(whole / 3600)h\(whole / 60 % 60 < 10 ? "0" : "")\(whole / 60 % 60)m"
  }
}
