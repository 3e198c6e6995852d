import { defined } from './defined.ts'
import type { Json } from './prompt.ts'
import { readList, readRecord, readString, readTime, unreadable } from './wire.ts'

export interface FleetQuery {
  readonly prompt?: string | undefined
  readonly alias?: string | undefined
  readonly app?: string | undefined
}

/** One instance of an app, as it said last what it runs. */
export interface FleetInstance {
  readonly app: string
  readonly instance: string
  readonly version: number
  readonly digest: string
  /** The last change that it knows. */
  readonly seq?: number
  /** Milliseconds since the epoch. */
  readonly reportedAt: number
}

/** How far an alias of a prompt has reached. */
export interface Reach {
  readonly name: string
  readonly alias: string
  /** What the alias says now; absent when it is gone. */
  readonly version?: number
  readonly digest?: string
  readonly instances: readonly FleetInstance[]
}

/** What runs where, as the instances that follow the registry report it. */
export interface Fleet {
  /** Of the last change that this answer knows. */
  readonly seq: number
  /** The registry's time, in milliseconds since the epoch. */
  readonly at: number
  /** That reported within 90 seconds. */
  readonly instances: number
  /** By name and alias. */
  readonly prompts: readonly Reach[]
}

/** Whether an instance runs what the alias says now; a number can mean another text after a delete. */
export const isBehind = ({ version, digest }: Reach, instance: FleetInstance): boolean =>
  instance.version !== version || (digest !== undefined && instance.digest !== digest)

export function toFleet(wire: unknown): Fleet {
  const it = readRecord(wire, 'fleet')
  return {
    seq: whole(it.seq, 'seq'),
    at: readTime(it, 'at'),
    instances: whole(it.instances, 'instances'),
    prompts: readList(it, 'prompts').map((one) => ({
      name: readString(one, 'name'),
      alias: readString(one, 'alias'),
      ...defined({ version: number(one.version), digest: text(one.digest) }),
      instances: readList(one, 'instances').map((instance) => ({
        app: readString(instance, 'app'),
        instance: readString(instance, 'instance'),
        version: whole(instance.version, 'version'),
        digest: readString(instance, 'digest'),
        ...defined({ seq: number(instance.seq) }),
        reportedAt: readTime(instance, 'reported_at'),
      })),
    })),
  }
}

const number = (value: Json | undefined) => (typeof value === 'number' ? value : undefined)
const text = (value: Json | undefined) => (typeof value === 'string' ? value : undefined)
const whole = (value: Json | undefined, key: string): number => number(value) ?? unreadable(key)
