import type { Migration } from '@promptkeep/sql'

/** Numbered from 1 without a gap; a released one is never edited. */
export const MIGRATIONS: readonly Migration[] = [
  {
    number: 1,
    name: 'users, conversations, answers, memories',
    up: ({ types: { text, integer, real }, tableOptions }) => [
      `create table users (
        user_id ${text} primary key,
        user_messages ${integer} not null,
        onboarded_at ${integer},
        onboarded_by ${text},
        created_at ${integer} not null
      ) ${tableOptions}`,
      `create table conversations (
        user_id ${text} not null,
        id ${text} not null,
        title ${text} not null,
        created_at ${integer} not null,
        updated_at ${integer} not null,
        primary key (user_id, id)
      ) ${tableOptions}`,
      'create index conversations_by_update on conversations (user_id, updated_at desc)',
      `create table messages (
        user_id ${text} not null,
        conversation_id ${text} not null,
        position ${integer} not null,
        role ${text} not null,
        content ${text} not null,
        items ${text} not null,
        status ${text} not null,
        correlation_id ${text} not null,
        answer ${text},
        fingerprint ${text},
        created_at ${integer} not null,
        primary key (user_id, conversation_id, position)
      ) ${tableOptions}`,
      `create table answer_prompts (
        user_id ${text} not null,
        conversation_id ${text} not null,
        position ${integer} not null,
        prompt ${text} not null,
        version ${integer} not null,
        alias ${text},
        digest ${text} not null,
        source ${text} not null,
        age_ms ${integer} not null,
        primary key (user_id, conversation_id, position, prompt)
      ) ${tableOptions}`,
      `create table greetings (
        user_id ${text} not null,
        id ${text} not null,
        answer ${text} not null,
        created_at ${integer} not null,
        primary key (user_id, id)
      ) ${tableOptions}`,
      `create table memories (
        row ${integer} primary key,
        user_id ${text} not null,
        id ${text} not null,
        content ${text} not null,
        content_key ${text} not null,
        type ${text} not null,
        confidence ${real} not null,
        importance ${real} not null,
        status ${text} not null,
        superseded_by ${text},
        conversation_id ${text} not null,
        correlation_id ${text} not null,
        created_at ${integer} not null,
        ended_at ${integer},
        unique (user_id, id)
      ) ${tableOptions}`,
      "create unique index memories_once on memories (user_id, content_key) where status = 'active'",
      'create index memories_by_time on memories (user_id, created_at)',
      // `owner` keeps a search inside one user's rows; marks are letters in the scripts where termsOf keeps them
      `create virtual table memories_fts using fts5 (
        owner, terms, tokenize = "unicode61 remove_diacritics 0 categories 'L* N* Co M*'"
      )`,
      `create table memory_candidates (
        user_id ${text} not null,
        conversation_id ${text} not null,
        memory_id ${text} not null,
        shown_at ${integer} not null,
        primary key (user_id, conversation_id, memory_id)
      ) ${tableOptions}`,
    ],
  },
]
