import Formats
import JSON

extension Value {
  public init(_ json: JSONValue) {
    switch json {
    case .null: self = .nothing
    case .bool(let flag): self = .bool(flag)
    case .int(let whole): self = .int(whole)
    case .number(let number): self = .number(number)
    case .exact(let number): self = .exact(number)
    case .string(let text): self = .text(text)
    case .array(let elements): self = .list(elements.map(Value.init))
    case .object(let members): self = .record(Record(members.map { ($0.key, Value($0.value)) }))
    }
  }

  /// As a row of a file of this format. In a table a reply has the same columns whatever came of it; in markdown those for people.
  func row(_ format: FileFormat) -> JSONValue {
    guard case .reply(let row) = self else { return json }
    return switch format {
    case .csv, .tsv: row.flat
    case .md: row.brief
    case .jsonl, .json, .txt: row.json
    }
  }

  /// As `save` writes it. Durations are seconds.
  public var json: JSONValue {
    switch self {
    case .nothing: .null
    case .bool(let flag): .bool(flag)
    case .int(let whole): .int(whole)
    case .number(let number): .number(number)
    case .exact(let number): .exact(number)
    case .text(let text): .string(text)
    case .duration(let duration): .number((duration.seconds * 1e9).rounded() / 1e9)
    case .list(let elements): .array(elements.map(\.json))
    case .range: .array((elements ?? []).map(\.json))
    case .record(let record): .object(record.fields.map { ($0.name, $0.value.json) })
    case .reply(let row): row.json
    case .job, .prompt, .function: .string(text)
    }
  }
}
